import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api } from '../../api/client';
import type { Ingest } from '../../api/types';
import { Announce } from '../../ui/announce';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { Dialog } from '../../ui/dialog';
import { Notice } from '../../ui/notice';
import { Pill } from '../../ui/pill';
import { Spinner } from '../../ui/spinner';
import { ago, clock, useNow } from '../../ui/time';
import { sentence } from '../../words';
import { CheckList } from '../check_list';
import { NoAnswer } from '../no_answer';
import { rate } from '../rate';
import { useSilence } from '../silence';
import { BitrateGraph } from './bitrate_graph';

const SILENCE_MS = 5000;

/** What arrives now, asked every second. */
export function ReceiveCard({ handle }: { handle: string }) {
  const query = useQuery({
    queryKey: ['ingest', handle],
    queryFn: () => api.ingest(handle),
    refetchInterval: 1000,
    staleTime: 0,
  });
  const [asking, setAsking] = useState(false);
  const end = useMutation({ mutationFn: () => api.endStream(handle), onSettled: () => query.refetch() });
  const now = useNow();
  const silentMs = useSilence(query.dataUpdatedAt, SILENCE_MS);
  const ingest = query.data;
  if (!ingest) {
    return (
      <Card title="What arrives">
        {query.failureReason ? (
          <NoAnswer reason={query.failureReason.message} onRetry={() => void query.refetch()} />
        ) : (
          <p className="flex items-center gap-3 text-sm text-ink-2">
            <Spinner size={16} /> Asking the server
          </p>
        )}
      </Card>
    );
  }
  const on = ingest.state === 'receiving' || ingest.state === 'reconnecting';
  // What a line of the list says is not said twice.
  const isListed = ingest.checks.some(({ advice }) => advice != null && advice === ingest.problem);
  return (
    <Card
      title="What arrives"
      aside={silentMs === null ? <StatePill state={ingest.state} /> : <Pill tone="warn">No answer</Pill>}
      className={ingest.state === 'receiving' && silentMs === null ? 'tally-live' : ''}
    >
      {silentMs !== null && (
        <div className="mb-4">
          <NoAnswer silentMs={silentMs} onRetry={() => void query.refetch()} />
        </div>
      )}
      <Announce topic={ingest.state} words={headline(ingest)} />
      <p data-testid="ingest-summary" className="flex items-start gap-3 font-medium tabular-nums">
        {ingest.state === 'waiting' && (
          <span aria-hidden className="breathe mt-2 size-2 shrink-0 rounded-full bg-ink-3" />
        )}
        {headline(ingest)}
      </p>
      {on && (
        <p className="mt-1.5 text-sm text-ink-2 tabular-nums">
          {ingest.started_at &&
            `On air for ${clock(now - (silentMs ?? 0) - Date.parse(ingest.started_at))} · `}
          {ingest.viewers} watching{ingest.source && ` · by ${ingest.source.toUpperCase()}`}
        </p>
      )}
      {!on && !ingest.problem && <p className="mt-1.5 text-sm text-ink-2">{HINTS[ingest.state]}</p>}
      {ingest.problem && !isListed && (
        <div className="mt-4">
          <Notice title="Something is wrong">{sentence(ingest.problem)}</Notice>
        </div>
      )}
      {!on && !ingest.problem && ingest.last_attempt && (
        <p className="mt-3 text-sm text-ink-2">
          Last try {ago(ingest.last_attempt.at, now)}: {sentence(ingest.last_attempt.detail)}
        </p>
      )}
      {on && <BitrateGraph at={query.dataUpdatedAt} bitrate={received(ingest)} />}
      {ingest.checks.length > 0 && <CheckList checks={ingest.checks} label="Health of the stream" />}
      {on && ingest.stats && <Layers ingest={ingest} />}
      {on && (
        <Button className="mt-5" onClick={() => setAsking(true)}>
          End stream
        </Button>
      )}
      <Dialog
        isQuestion
        open={asking}
        onClose={() => setAsking(false)}
        title="End the stream?"
        actions={
          <>
            <Button onClick={() => setAsking(false)}>Stay on air</Button>
            <Button
              look="primary"
              onClick={() => {
                setAsking(false);
                end.mutate();
              }}
            >
              End stream
            </Button>
          </>
        }
      >
        Viewers will see that the stream has ended. Stop the encoder too, or it starts a new stream.
      </Dialog>
    </Card>
  );
}

/** What to expect while nothing is there to be shown. */
const HINTS: Partial<Record<Ingest['state'], string>> = {
  waiting: 'Codec, frame rate, key frames and sound are checked here as soon as something arrives.',
  connecting: 'The encoder has reached the server; its first picture is due within seconds.',
};

/** bit/s of what the publisher sends, without what the server makes of it. */
function received({ state, stats }: Ingest): number {
  if (state !== 'receiving' || !stats) return 0;
  const sent = stats.layers.filter(({ active, made }) => active && !made);
  const audio = stats.audio?.active ? stats.audio.bitrate : 0;
  return sent.reduce((sum, { bitrate }) => sum + bitrate, audio);
}

function headline(ingest: Ingest): string {
  if (ingest.state === 'waiting') return 'Waiting for media. Press Start Streaming in OBS.';
  const summary = ingest.summary;
  return summary ? summary.charAt(0).toUpperCase() + summary.slice(1) : 'Connecting';
}

function StatePill({ state }: { state: Ingest['state'] }) {
  switch (state) {
    case 'receiving':
      return (
        <Pill tone="live" dot>
          Live
        </Pill>
      );
    case 'reconnecting':
      return <Pill tone="warn">Reconnecting</Pill>;
    case 'connecting':
      return <Pill tone="preview">Connecting</Pill>;
    case 'waiting':
      return <Pill tone="neutral">Waiting</Pill>;
  }
}

/** Each layer by itself, where there is more than one, and the way that they come. */
function Layers({ ingest }: { ingest: Ingest }) {
  const { layers, publisher } = ingest.stats ?? { layers: [], publisher: null };
  return (
    <>
      {layers.length > 1 && (
        <div className="mt-2 overflow-x-auto">
          <table className="w-full text-sm tabular-nums">
            <caption className="sr-only">Sizes that viewers can have</caption>
            <thead>
              <tr className="text-left text-xs text-ink-3">
                <th className="py-1.5 pr-3 font-medium">Layer</th>
                <th className="py-1.5 pr-3 text-right font-medium">Bitrate</th>
                <th className="py-1.5 pr-3 text-right font-medium">Key frame</th>
                <th className="py-1.5 text-right font-medium">Lost</th>
              </tr>
            </thead>
            <tbody>
              {layers.map((layer) => (
                <tr key={layer.rid ?? ''} className="border-t border-line">
                  <td className="py-2 pr-3">
                    {layer.width ? `${layer.width}×${layer.height}` : layer.codec}{' '}
                    <span className="text-ink-3">
                      {layer.active ? `${Math.round(layer.fps)} fps` : 'paused'}
                      {layer.made && ', made here'}
                    </span>
                  </td>
                  <td className="py-2 pr-3 text-right">{rate(layer.bitrate)}</td>
                  <td className="py-2 pr-3 text-right">
                    {layer.keyframe_interval_ms == null
                      ? '–'
                      : `${(layer.keyframe_interval_ms / 1000).toFixed(1)} s`}
                  </td>
                  <td className="py-2 text-right">{layer.lost}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {publisher && publisher.transport !== 'none' && (
        <p className="mt-2 text-xs text-ink-3 tabular-nums">
          Over {publisher.transport.toUpperCase()}
          {publisher.rtt_ms != null && ` · round trip ${Math.round(publisher.rtt_ms)} ms`}
        </p>
      )}
    </>
  );
}
