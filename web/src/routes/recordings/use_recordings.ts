import { useInfiniteQuery } from '@tanstack/react-query';
import { api } from '../../api/client';
import type { Recording } from '../../api/types';

/** Everything that a channel lists, newest first, page by page; asked again as often as `everyMs` says. */
export function useRecordings(
  handle: string,
  everyMs: (items: Recording[]) => number | false,
  enabled = true,
) {
  const query = useInfiniteQuery({
    queryKey: recordingsKey(handle),
    enabled,
    queryFn: ({ pageParam }) => api.recordings(handle, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next_cursor }) => next_cursor ?? undefined,
    refetchInterval: ({ state }) => everyMs(state.data?.pages.flatMap(({ items }) => items) ?? []),
  });
  return { ...query, items: query.data?.pages.flatMap(({ items }) => items) ?? [] };
}

export function recordingsKey(handle: string): string[] {
  return ['recordings', handle];
}
