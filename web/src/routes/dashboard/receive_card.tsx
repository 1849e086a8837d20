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
import { NoAnswer } from '../no_answer';
import { rate } from '../rate';
import { useSilence } from '../silence';

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
      <Announce topic={ingest.state} words={sentence(ingest)} />
      <p data-testid="ingest-summary" className="flex items-start gap-3 font-medium tabular-nums">
        {ingest.state === 'waiting' && (
          <span aria-hidden className="breathe mt-2 size-2 shrink-0 rounded-full bg-ink-3" />
        )}
        {sentence(ingest)}
      </p>
      {on && (
        <p className="mt-1.5 text-sm text-ink-2 tabular-nums">
          {ingest.started_at &&
            `On air for ${clock(now - (silentMs ?? 0) - Date.parse(ingest.started_at))} · `}
          {ingest.viewers} watching{ingest.source && ` · by ${ingest.source.toUpperCase()}`}
        </p>
      )}
      {ingest.problem && (
        <div className="mt-4">
          <Notice title="Something is wrong">{ingest.problem}</Notice>
        </div>
      )}
      {!on && !ingest.problem && ingest.last_attempt && (
        <p className="mt-3 text-sm text-ink-2">
          Last try {ago(ingest.last_attempt.at, now)}: {ingest.last_attempt.detail}
        </p>
      )}
      {on && ingest.stats && <Layers ingest={ingest} />}
      {on && (
        <Button className="mt-5" onClick={() => setAsking(true)}>
          End stream
        </Button>
      )}
      <Dialog
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

function sentence(ingest: Ingest): string {
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

function Layers({ ingest }: { ingest: Ingest }) {
  const { layers, audio, publisher } = ingest.stats ?? { layers: [], audio: null, publisher: null };
  return (
    <div className="mt-4 overflow-x-auto">
      <table className="w-full text-sm tabular-nums">
        <caption className="sr-only">Tracks and layers that arrive</caption>
        <thead>
          <tr className="text-left text-xs text-ink-3">
            <th className="py-1.5 pr-3 font-medium">Track</th>
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
                <span className="text-ink-3">{layer.active ? `${Math.round(layer.fps)} fps` : 'paused'}</span>
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
          {audio && (
            <tr className="border-t border-line">
              <td className="py-2 pr-3">
                Sound <span className="text-ink-3">{audio.codec}</span>
              </td>
              <td className="py-2 pr-3 text-right">{rate(audio.bitrate)}</td>
              <td className="py-2 pr-3 text-right">–</td>
              <td className="py-2 text-right">{audio.lost}</td>
            </tr>
          )}
        </tbody>
      </table>
      {publisher && (
        <p className="mt-2 text-xs text-ink-3 tabular-nums">
          Over {publisher.transport.toUpperCase()}
          {publisher.rtt_ms != null && ` · round trip ${Math.round(publisher.rtt_ms)} ms`}
          {publisher.loss != null && ` · loss ${(publisher.loss * 100).toFixed(1)} %`}
        </p>
      )}
    </div>
  );
}
