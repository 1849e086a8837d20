import { X } from 'lucide-react';
import { bitrateName, layerName } from '../../player/layers';
import type { PlayerState } from '../../player/state';
import { type Change, transportName } from '../../player/transport';
import { CopyButton } from '../../ui/copy';

/** The numbers behind the picture, and a report of them for whoever has to find a fault. */
export function StatsOverlay({
  state,
  handle,
  onClose,
}: {
  state: PlayerState;
  handle: string;
  onClose: () => void;
}) {
  const rows = statRows(state);
  const changes = state.changes.map(changeRow);
  const report = [
    `Tallylight player report, @${handle}, ${new Date().toISOString()}`,
    ...rows.map(([name, value]) => `${name}: ${value}`),
    ...changes.map(([at, change]) => `${at}: ${change}`),
    `Browser: ${navigator.userAgent}`,
  ].join('\n');
  return (
    <section
      aria-label="Statistics"
      className="fixed inset-x-2 bottom-2 z-20 max-h-[60dvh] overflow-y-auto rounded-card border border-line bg-surface-1/95 p-3 text-ink shadow-panel select-text sm:absolute sm:inset-x-auto sm:top-4 sm:right-4 sm:bottom-auto sm:max-h-[calc(100%-5.5rem)] sm:w-72"
    >
      <div className="mb-2 flex items-center gap-2">
        <h2 className="flex-1 text-sm font-semibold">Statistics</h2>
        <CopyButton text={report} label="Copy report" what="" />
        <button
          type="button"
          aria-label="Close statistics"
          onClick={onClose}
          className="flex size-9 items-center justify-center rounded-control text-ink-2 hover:bg-surface-2 hover:text-ink"
        >
          <X aria-hidden size={18} />
        </button>
      </div>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-xs tabular-nums">
        {rows.map(([name, value]) => (
          <div key={name} className="col-span-2 grid grid-cols-subgrid">
            <dt className="text-ink-3">{name}</dt>
            <dd className="text-right break-words">{value}</dd>
          </div>
        ))}
      </dl>
      {changes.length > 0 && (
        <>
          <h3 className="mt-3 mb-1 text-xs font-semibold">Changes of transport</h3>
          <ol className="flex flex-col gap-1 text-xs tabular-nums">
            {changes.map(([at, change]) => (
              <li key={`${at} ${change}`}>
                <span className="text-ink-3">{at}</span> {change}
              </li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}

/** When, and from what to what for which reason. */
function changeRow({ at, from, to, words }: Change): [string, string] {
  const time = new Date(at).toLocaleTimeString([], { hour12: false });
  return [time, `${transportName(from)} → ${transportName(to)}. ${words}`];
}

function transportRow({ transport, stats }: PlayerState): string {
  if (!transport) return '–';
  const by = transport === 'webrtc' ? 'WebRTC over' : transport === 'll_hls' ? 'LL-HLS by' : 'HLS by';
  return stats?.transport
    ? `${transportName(transport)}: ${by} ${stats.transport}`
    : transportName(transport);
}

function statRows(state: PlayerState): [string, string][] {
  const { stats, qualities, pinned, joinMs, phase, viewers } = state;
  const ms = (value: number | null | undefined) => (value == null ? '–' : `${Math.round(value)} ms`);
  // Over HTTP nobody measures them.
  const direct = (rows: [string, string][]) => (state.transport === 'webrtc' ? rows : []);
  const layer = (
    qualities.find(({ id }) => id === pinned) ??
    qualities.find(({ layer }) => layer?.width === stats?.width && layer?.height === stats?.height)
  )?.layer;
  return [
    ['State', phase.name.replace('_', ' ')],
    ['Transport', transportRow(state)],
    ['Codec', [stats?.codec, stats?.decoder && `(${stats.decoder})`].filter(Boolean).join(' ') || '–'],
    ['Resolution', stats?.width ? `${stats.width}×${stats.height} @ ${Math.round(stats.fps ?? 0)} fps` : '–'],
    ['Layer', `${layer ? layerName(layer) : '–'} (${pinned === null ? 'auto' : 'chosen'})`],
    ['Bitrate', stats?.bitrate == null ? '–' : bitrateName(stats.bitrate)],
    ...(stats?.throughput ? [['Network', bitrateName(stats.throughput)] as [string, string]] : []),
    ...direct([
      ['Loss', stats?.loss == null ? '–' : `${(stats.loss * 100).toFixed(1)} %`],
      ['Jitter', ms(stats?.jitterMs)],
      ['Round trip', ms(stats?.rttMs)],
    ]),
    ['Buffer', ms(stats?.bufferMs)],
    ...direct([['Decoding', stats?.decodeMs == null ? '–' : `${stats.decodeMs.toFixed(1)} ms a frame`]]),
    ['Freezes', `${stats?.freezes ?? 0} (${((stats?.freezeMs ?? 0) / 1000).toFixed(1)} s)`],
    ['Frames dropped', `${stats?.framesDropped ?? 0} of ${stats?.framesDecoded ?? 0}`],
    [
      'Glass to glass',
      stats?.latencyMs == null ? '–' : `${Math.round(stats.latencyMs)} ms (${stats.latencySource})`,
    ],
    ['First picture', ms(joinMs)],
    ['Viewers', viewers === null ? '–' : String(viewers)],
  ];
}
