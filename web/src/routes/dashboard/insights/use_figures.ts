import { useQuery } from '@tanstack/react-query';
import type { StreamInsights } from '../../../api/insights';

export const LIVE_EVERY_MS = 5000;

/** Figures of a stream, asked again while it is on air. */
export function useFigures<T>(key: string, stream: StreamInsights, ask: (id: string) => Promise<T>) {
  const live = !stream.ended_at;
  return useQuery({
    queryKey: [key, stream.id, live],
    queryFn: () => ask(stream.id),
    refetchInterval: live ? LIVE_EVERY_MS : false,
    staleTime: live ? 0 : 60_000,
    // From on air to ended the drawing stays.
    placeholderData: (before) => before,
  });
}
