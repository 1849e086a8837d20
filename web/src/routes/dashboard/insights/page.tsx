/** How streams arrive and who watches them: of the one on air, and of all before it. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { ChartLine } from 'lucide-react';
import { useState } from 'react';
import { insightsApi, type StreamInsights } from '../../../api/insights';
import { Button } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { Pill } from '../../../ui/pill';
import { Spinner } from '../../../ui/spinner';
import { NoAnswer } from '../../no_answer';
import { DashboardFrame } from '../frame';
import { HealthCard } from './health_card';
import { StreamTable } from './stream_table';
import { LIVE_EVERY_MS } from './use_figures';
import { ViewersCard } from './viewers_card';
import { streamName } from './words';

export function InsightsPage() {
  return (
    <DashboardFrame section="/dashboard/insights">
      {(channel) => <Insights handle={channel.handle} />}
    </DashboardFrame>
  );
}

const IDLE_EVERY_MS = 15_000;

function Insights({ handle }: { handle: string }) {
  const [chosen, setChosen] = useState<string | null>(null);
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
  const streams = query.data?.pages.flatMap(({ items }) => items) ?? [];
  const stream = streams.find(({ id }) => id === chosen) ?? streams[0];
  if (!query.data) {
    return query.failureReason ? (
      <NoAnswer reason={query.failureReason.message} onRetry={() => void query.refetch()} />
    ) : (
      <p className="flex items-center gap-3 text-sm text-ink-2">
        <Spinner size={16} /> Asking the server
      </p>
    );
  }
  if (!stream) return <NothingYet />;
  return (
    <div className="flex min-w-0 flex-col gap-4 lg:gap-6">
      <Heading stream={stream} />
      <HealthCard key={`health-${stream.id}`} stream={stream} />
      <ViewersCard key={`viewers-${stream.id}`} stream={stream} />
      <StreamTable streams={streams} chosen={stream.id} onChoose={setChosen} />
      {query.hasNextPage && (
        <Button
          className="self-center"
          disabled={query.isFetchingNextPage}
          onClick={() => void query.fetchNextPage()}
        >
          Show older streams
        </Button>
      )}
    </div>
  );
}

/** Which stream the drawings are of. */
function Heading({ stream }: { stream: StreamInsights }) {
  return (
    <div id="stream" className="flex flex-wrap items-center gap-3 scroll-mt-20">
      <h2 className="text-lg font-semibold">{streamName(stream)}</h2>
      {stream.ended_at ? (
        <Pill tone="neutral">Ended</Pill>
      ) : (
        <Pill tone="live" dot>
          On air
        </Pill>
      )}
    </div>
  );
}

function NothingYet() {
  return (
    <Card>
      <div className="flex flex-col items-center gap-3 py-10 text-center">
        <ChartLine aria-hidden size={32} className="text-ink-3" />
        <h2 className="text-lg font-semibold">No streams yet</h2>
        <p className="max-w-md text-sm text-ink-2">
          As soon as you are on air you see here how well your stream arrives and how many watch. Afterwards
          it stays, stream by stream.
        </p>
      </div>
    </Card>
  );
}
