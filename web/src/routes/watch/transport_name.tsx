import type { PlayerState } from '../../player/state';
import { latencyWords, transportName } from '../../player/transport';

/** "Instant 0.2 s": never silent about what plays. */
export function TransportName({ state }: { state: PlayerState }) {
  const { transport, latencyMs, rewound } = state;
  if (!transport) return null;
  return (
    <span
      className="truncate whitespace-nowrap tabular-nums"
      title="Delay from the camera to your screen, estimated"
    >
      <span className="font-semibold text-ink">{transportName(transport)}</span>
      {latencyMs !== null && !rewound && <span className="text-ink-2"> {latencyWords(latencyMs)}</span>}
    </span>
  );
}
