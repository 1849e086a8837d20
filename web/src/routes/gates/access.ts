/** What pages have asked of who may watch, to be asked again when something of it changes. */
import { type QueryClient, useQuery, useQueryClient } from '@tanstack/react-query';
import { type Behind, entryApi } from '../../api/entry';
import { entryOf } from '../../player/channel';
import { membershipsKey, offersKey } from '../payments/use_payments';
import { channelKey } from '../watch/use_channel';

const ENTRIES = ['entry'];

/** Somebody joined, bought, followed, or gave a password: what they may see may be more, or less. */
export function askAccessAgain(queries: QueryClient, handle: string): Promise<unknown> {
  const keys = [offersKey(handle), channelKey(handle), membershipsKey, ENTRIES];
  return Promise.all(keys.map((queryKey) => queries.invalidateQueries({ queryKey })));
}

export function useAskAccessAgain(handle: string): () => Promise<unknown> {
  const queries = useQueryClient();
  return () => askAccessAgain(queries, handle);
}

/** What stands before one stream or recording; `null` until it is known, and where nothing is. */
export function useEntry(behind: Behind, id: string, wanted = true) {
  return useQuery({
    queryKey: [...ENTRIES, behind, id],
    queryFn: () => entryApi.show(behind, id),
    select: entryOf,
    enabled: wanted,
  });
}
