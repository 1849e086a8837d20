import { useQuery } from '@tanstack/react-query';
import { channelsApi } from '../../api/channels';

export function channelKey(handle: string): string[] {
  return ['channel', handle];
}

/** What a channel says of itself. */
export function useChannel(handle: string, wanted = true) {
  return useQuery({
    queryKey: channelKey(handle),
    queryFn: () => channelsApi.show(handle),
    staleTime: 15_000,
    enabled: wanted,
  });
}
