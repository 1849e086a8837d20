import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { type Stream, streamsApi } from '../../api/streams';

const EVERY_MS = 5000;

/** What belongs to a channel's streams; to be asked again after each change. */
export function streamsKey(handle: string): string[] {
  return ['streams', handle];
}

/** What is ahead, the next first. */
export function useSchedule(handle: string, enabled = true) {
  return useQuery({
    queryKey: [...streamsKey(handle), 'schedule'],
    queryFn: () => streamsApi.schedule(handle),
    refetchInterval: EVERY_MS,
    enabled,
  });
}

/** What is over, the newest first, page by page. */
export function usePast(handle: string) {
  const query = useInfiniteQuery({
    queryKey: [...streamsKey(handle), 'past'],
    queryFn: ({ pageParam }) => streamsApi.list(handle, 'ended', pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next_cursor }) => next_cursor ?? undefined,
    refetchInterval: EVERY_MS,
  });
  return { ...query, items: query.data?.pages.flatMap(({ items }) => items) ?? [] };
}

/** How a channel stands for whoever makes its streams. */
export interface Standing {
  live: Stream | null;
  /** What a publisher who comes now gets: what waits for one, else what is planned for about now. */
  awaited: Stream | null;
  /** Of which a new stream takes its title and settings. */
  last: Stream | null;
}

export function useStanding(handle: string) {
  return useQuery({
    queryKey: [...streamsKey(handle), 'standing'],
    queryFn: () => standing(handle),
    refetchInterval: EVERY_MS,
  });
}

async function standing(handle: string): Promise<Standing> {
  const [live, preparing, ended, ahead] = await Promise.all([
    streamsApi.list(handle, 'live'),
    streamsApi.list(handle, 'preparing'),
    streamsApi.list(handle, 'ended'),
    streamsApi.schedule(handle),
  ]);
  return {
    live: live.items[0] ?? null,
    awaited: preparing.items[0] ?? nearest(ahead.items, Date.now()),
    last: ended.items.find(({ started_at }) => started_at !== null) ?? null,
  };
}

/** As the server chooses. */
function nearest(streams: Stream[], now: number): Stream | null {
  const off = ({ scheduled_at }: Stream) => Date.parse(scheduled_at ?? '') - now;
  const near = streams.filter(
    (stream) => stream.state === 'scheduled' && off(stream) <= EARLY_MS && off(stream) >= -LATE_MS,
  );
  return near.sort((a, b) => Math.abs(off(a)) - Math.abs(off(b)))[0] ?? null;
}

const EARLY_MS = 3_600_000;
const LATE_MS = 3 * 3_600_000;
