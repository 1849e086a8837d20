/** How streams arrive and who watches them: of the one on air, and of all before it. */
import { useNavigate, useSearch } from '@tanstack/react-router';
import { ChartLine } from 'lucide-react';
import type { StreamInsights } from '../../../api/insights';
import { Button } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { Pill } from '../../../ui/pill';
import { Spinner } from '../../../ui/spinner';
import { NoAnswer } from '../../no_answer';
import { DashboardFrame } from '../frame';
import { HealthCard } from './health_card';
import { StreamTable } from './stream_table';
import { useInsights } from './use_insights';
import { ViewersCard } from './viewers_card';
import { streamName } from './words';

export function InsightsPage() {
  return (
    <DashboardFrame section="/dashboard/insights">
      {(channel) => <Insights handle={channel.handle} />}
    </DashboardFrame>
  );
}

function Insights({ handle }: { handle: string }) {
  const { stream: chosen = null } = useSearch({ from: '/dashboard/insights' });
  const navigate = useNavigate({ from: '/dashboard/insights' });
  const query = useInsights(handle, chosen);
  const { items: streams, isFurther } = query;
  const stream = streams.find(({ id }) => id === chosen) ?? streams[0];
  if (!query.data || isFurther) {
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
      <StreamTable
        streams={streams}
        chosen={stream.id}
        onChoose={(id) => void navigate({ search: (now) => ({ ...now, stream: id }), resetScroll: false })}
      />
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
