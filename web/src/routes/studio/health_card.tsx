import { Activity, TriangleAlert } from 'lucide-react';
import type { IngestCheck } from '../../api/types';
import { qualityById } from '../../publisher/encodings';
import { assess } from '../../publisher/health';
import type { AirState } from '../../publisher/publisher';
import type { SourcesState } from '../../publisher/sources';
import { Announce } from '../../ui/announce';
import { Card } from '../../ui/card';
import { CheckList } from '../check_list';
import { rate } from '../rate';
import type { Settings } from './settings';

/** How the upload goes: first in words, then in numbers. */
export function HealthCard({
  air,
  settings,
  media,
  checks,
}: {
  air: AirState;
  settings: Settings;
  media: SourcesState;
  /** What the server says of what it receives. */
  checks: IngestCheck[];
}) {
  const { stats, history, wantedBitrate } = air;
  const quality = qualityById(settings.quality);
  const lines = Math.min(
    quality.height,
    media.size?.height ?? quality.height,
    media.size?.width ?? quality.height,
  );
  const early = history.length < 4;
  const health =
    stats && !early
      ? assess(
          stats,
          { lines, fps: quality.fps, bitrate: wantedBitrate, still: media.picture !== 'camera' },
          rate,
        )
      : null;
  const trouble = health !== null && health.tone !== 'good';
  const waiting =
    air.phase.name === 'reconnecting'
      ? { topic: 'away', title: 'No connection', advice: 'Nothing leaves this computer until it is back.' }
      : { topic: 'measuring', title: 'Measuring your upload', advice: 'This takes a few seconds.' };
  const { topic, title, advice } = health ?? waiting;
  const known = [...SAID_HERE];
  if (topic === 'loss') known.push('delivery');
  // Who muted the microphone knows, and who has none is told elsewhere.
  if (!media.microphoneOn || media.microphoneId === null) known.push('audio');
  const received = checks.filter(({ name, advice }) => advice && !known.includes(name));
  const Icon = trouble ? TriangleAlert : Activity;
  return (
    <Card title="Upload">
      <Announce topic={topic} words={`${title}. ${advice}`} />
      <div className="flex gap-3">
        <Icon
          aria-hidden
          size={20}
          className={`mt-0.5 shrink-0 ${trouble ? 'text-warn-text' : 'text-ink-2'}`}
        />
        <div>
          <p className="font-semibold">{title}</p>
          <p className="mt-0.5 text-sm text-ink-2">{advice}</p>
        </div>
      </div>
      <Plot history={history} wanted={wantedBitrate} />
      <dl className="mt-4 grid grid-cols-2 gap-x-4 gap-y-3 text-sm tabular-nums sm:grid-cols-4 lg:grid-cols-2">
        <Figure name="Bitrate" value={stats ? rate(stats.bitrate) : '–'} />
        <Figure name="Frames" value={stats ? `${Math.round(stats.fps)} fps` : '–'} />
        <Figure name="Loss" value={stats?.loss == null ? '–' : `${(stats.loss * 100).toFixed(1)} %`} />
        <Figure name="Round trip" value={stats?.rttMs == null ? '–' : `${Math.round(stats.rttMs)} ms`} />
        <Figure name="Codec" value={stats?.codec ?? '–'} />
        <Figure
          name="Limited by"
          value={
            { none: 'nothing', cpu: 'this computer', bandwidth: 'your network', other: 'the browser' }[
              stats?.limitation ?? 'none'
            ]
          }
        />
      </dl>
      {stats && stats.layers.length > 0 && (
        <ul
          aria-label="Sizes that are sent"
          className="mt-4 flex flex-col gap-1.5 border-t border-line pt-4 text-sm tabular-nums"
        >
          {stats.layers.map((layer) => (
            <li key={layer.rid} className="flex justify-between gap-4">
              <span>
                {layer.width}×{layer.height}
              </span>
              <span className="text-ink-2">
                {Math.round(layer.fps)} fps · {rate(layer.bitrate)}
              </span>
            </li>
          ))}
        </ul>
      )}
      {received.length > 0 && <CheckList checks={received} label="What the server says" />}
    </Card>
  );
}

/** What this card knows better than the server. */
const SAID_HERE: IngestCheck['name'][] = ['size', 'frame_rate', 'bitrate'];

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt className="text-xs text-ink-3">{name}</dt>
      <dd className="font-medium">{value}</dd>
    </div>
  );
}

const SECONDS = 300;

/** The last five minutes of upload; the thin line is what you asked for. */
function Plot({ history, wanted }: { history: number[]; wanted: number }) {
  const top = Math.max(wanted * 1.15, ...history, 1);
  const y = (bitrate: number) => 56 - (bitrate / top) * 52;
  const offset = SECONDS - history.length;
  const points = history.map((bitrate, index) => `${offset + index},${y(bitrate).toFixed(1)}`).join(' ');
  return (
    <svg
      role="img"
      aria-label={`Upload of the last five minutes, now ${rate(history.at(-1) ?? 0)}`}
      viewBox={`0 0 ${SECONDS} 56`}
      preserveAspectRatio="none"
      className="mt-4 h-16 w-full rounded-lg bg-surface-0"
    >
      <line
        x1="0"
        x2={SECONDS}
        y1={y(wanted)}
        y2={y(wanted)}
        className="stroke-line-strong"
        strokeDasharray="2 4"
        vectorEffect="non-scaling-stroke"
      />
      {history.length > 1 && (
        <>
          <polygon points={`${offset},56 ${points} ${SECONDS - 1},56`} className="fill-surface-3" />
          <polyline
            points={points}
            fill="none"
            className="stroke-ink"
            strokeWidth="1.5"
            vectorEffect="non-scaling-stroke"
          />
        </>
      )}
    </svg>
  );
}
