import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type ChannelEdit, channelsApi } from '../../../api/channels';
import { sessionQuery } from '../../account';
import { channelKey } from '../../watch/use_channel';

/** Changes a channel and shows what became of it everywhere. */
export function useEdit(handle: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (edit: ChannelEdit) => channelsApi.edit(handle, edit),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: channelKey(handle) });
      await queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
    },
  });
}
