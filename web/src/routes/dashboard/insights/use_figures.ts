import { useQuery } from '@tanstack/react-query';
import type { StreamInsights } from '../../../api/insights';

export const LIVE_EVERY_MS = 5000;

/** What was counted last is written down within this time after the end. */
const SETTLED_AFTER_MS = 60_000;

/** Figures of a stream, asked again while it is on air and until the last are in. */
export function useFigures<T>(key: string, stream: StreamInsights, ask: (id: string) => Promise<T>) {
  const live = !stream.ended_at;
  return useQuery({
    queryKey: [key, stream.id, live],
    queryFn: () => ask(stream.id),
    refetchInterval: () => (endedSince(stream) < SETTLED_AFTER_MS ? LIVE_EVERY_MS : false),
    staleTime: live ? 0 : 60_000,
    // From on air to ended the drawing stays.
    placeholderData: (before) => before,
  });
}

/** Zero while it is on air. */
function endedSince({ ended_at }: StreamInsights): number {
  return ended_at ? Date.now() - Date.parse(ended_at) : 0;
}
