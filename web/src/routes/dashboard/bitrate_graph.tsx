import { useState } from 'react';
import { rate } from '../rate';
import { draw, inWords, remember, type Sample } from './bitrate';

const WIDTH = 480;
const HEIGHT = 72;

/** What the server received of late, from the answers since the page was opened. */
export function BitrateGraph({ at, bitrate }: Sample) {
  const [samples, setSamples] = useState<Sample[]>([]);
  const now = remember(samples, { at, bitrate });
  if (now !== samples) setSamples(now);
  const { line, area, top } = draw(now, WIDTH, HEIGHT);
  return (
    <figure className="mt-5">
      <figcaption className="flex justify-between gap-4 text-xs text-ink-3 tabular-nums">
        <span>Bitrate</span>
        <span aria-hidden>{rate(top)}</span>
      </figcaption>
      <svg
        role="img"
        aria-label={inWords(now)}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        className="mt-1 h-18 w-full overflow-visible rounded-lg bg-surface-0"
      >
        <path
          d={`M0,${HEIGHT / 2}H${WIDTH}`}
          className="stroke-line"
          strokeDasharray="2 4"
          vectorEffect="non-scaling-stroke"
        />
        <path d={area} className="fill-surface-3" />
        <path
          d={line}
          fill="none"
          className="stroke-ink"
          strokeWidth="1.5"
          strokeLinejoin="round"
          vectorEffect="non-scaling-stroke"
        />
      </svg>
      <p aria-hidden className="mt-1 flex justify-between text-xs text-ink-3">
        <span>2 minutes ago</span>
        <span>now</span>
      </p>
    </figure>
  );
}
