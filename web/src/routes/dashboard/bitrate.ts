/** The bitrate of the last two minutes, as it was asked for: what to draw, and what to say. */
import { rate } from '../rate';

export interface Sample {
  /** When the server said so, in milliseconds. */
  at: number;
  /** bit/s */
  bitrate: number;
}

export const WINDOW_MS = 120_000;
/** Answers further apart leave a gap: nobody asked, or the server did not answer. */
const GAP_MS = 5000;

/** The samples with one more, without what is too old to be shown. */
export function remember(samples: Sample[], sample: Sample): Sample[] {
  if (samples.at(-1)?.at === sample.at) return samples;
  // One before the window too, so that the line begins at its edge.
  const first = samples.findIndex(({ at }) => at >= sample.at - WINDOW_MS);
  const kept = first < 0 ? [] : samples.slice(Math.max(0, first - 1));
  return [...kept, sample];
}

/** The end of the scale: the next of 1, 2 and 5 times a power of ten, in bit/s. */
export function scale(samples: Sample[]): number {
  const most = Math.max(100_000, ...samples.map(({ bitrate }) => bitrate));
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [1, 2, 3, 5, 7.5].find((times) => times * power >= most);
  return (step ?? 10) * power;
}

/** Paths of a drawing whose right edge is the newest sample; one line for each time without a gap. */
export function draw(
  samples: Sample[],
  width: number,
  height: number,
): { line: string; area: string; top: number } {
  const top = scale(samples);
  const end = samples.at(-1)?.at ?? 0;
  const x = ({ at }: Sample) => round(Math.max(0, width * (1 - (end - at) / WINDOW_MS)));
  const y = ({ bitrate }: Sample) => round(height * (1 - bitrate / top));
  const runs: Sample[][] = [];
  for (const sample of samples) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    if (run && before && sample.at - before.at <= GAP_MS) run.push(sample);
    else runs.push([sample]);
  }
  const lines = runs
    .filter((run) => run.length > 1)
    .map((run) => ({
      from: run[0] ? x(run[0]) : 0,
      to: run.map(x).at(-1) ?? 0,
      points: run.map((sample) => `${x(sample)},${y(sample)}`).join('L'),
    }));
  return {
    line: lines.map(({ points }) => `M${points}`).join(''),
    area: lines.map(({ from, to, points }) => `M${from},${height}L${points}L${to},${height}Z`).join(''),
    top,
  };
}

/** "Bitrate, last 2 minutes: 2.1 to 2.6 Mbit/s", for those who do not see the drawing. */
export function inWords(samples: Sample[]): string {
  const rates = samples.map(({ bitrate }) => bitrate);
  if (rates.length === 0) return 'Bitrate: nothing yet';
  const [least, most] = [Math.min(...rates), Math.max(...rates)].map(rate);
  const range = least === most ? most : `${shorten(least, most)} to ${most}`;
  return `Bitrate, last 2 minutes: ${range}`;
}

/** "2.1" of "2.1 Mbit/s" where the other has the same unit. */
function shorten(least = '', most = ''): string {
  const [number = '', unit] = least.split(' ');
  return most.endsWith(` ${unit}`) ? number : least;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
