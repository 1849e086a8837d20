import { useInfiniteQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { insightsApi } from '../../../api/insights';
import { LIVE_EVERY_MS } from './use_figures';

const IDLE_EVERY_MS = 15_000;

/** What streams came to, newest first, page by page; by itself as far back as the stream `to`. */
export function useInsights(handle: string, to: string | null) {
  const query = useInfiniteQuery({
    queryKey: ['insights', handle],
    queryFn: ({ pageParam }) => insightsApi.streams(handle, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next_cursor }) => next_cursor ?? undefined,
    refetchInterval: ({ state }) => {
      const newest = state.data?.pages[0]?.items[0];
      return newest && !newest.ended_at ? LIVE_EVERY_MS : IDLE_EVERY_MS;
    },
  });
  const items = query.data?.pages.flatMap((page) => page.items) ?? [];
  const { hasNextPage, isFetching, isFetchNextPageError, fetchNextPage } = query;
  const isFurther = to !== null && hasNextPage && !items.some(({ id }) => id === to);
  useEffect(() => {
    if (isFurther && !isFetching && !isFetchNextPageError) void fetchNextPage();
  }, [isFurther, isFetching, isFetchNextPageError, fetchNextPage]);
  return { ...query, items, isFurther };
}
