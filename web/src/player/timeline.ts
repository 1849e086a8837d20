/** The part of a stream that can be seen again, on the Date.now() clock. */

export interface Timeline {
  startMs: number;
  /** The live edge, or the end. */
  endMs: number;
  positionMs: number;
}

/** The stretch of a playlist that one segment covers. */
export interface Stretch {
  /** Seconds on the media's own clock. */
  start: number;
  duration: number;
  /** Wall time of its start (EXT-X-PROGRAM-DATE-TIME); `null` where the playlist does not say. */
  programDateTime: number | null;
}

/** Reads the whole segments of a media playlist; its first begins at zero. */
export function stretchesOf(playlist: string): Stretch[] {
  const stretches: Stretch[] = [];
  let start = 0;
  let programDateTime: number | null = null;
  for (const line of playlist.split(/\r?\n/)) {
    const [, time] = /^#EXT-X-PROGRAM-DATE-TIME:(.+)/.exec(line) ?? [];
    if (time) programDateTime = Date.parse(time);
    const duration = Number.parseFloat(/^#EXTINF:([\d.]+)/.exec(line)?.[1] ?? '');
    if (Number.isNaN(duration)) continue;
    stretches.push({ start, duration, programDateTime });
    start += duration;
    if (programDateTime !== null) programDateTime += duration * 1000;
  }
  return stretches;
}

/** When what plays at `seconds` happened. Wall time jumps at discontinuities, media time does not. */
export function wallTime(stretches: readonly Stretch[], seconds: number): number | null {
  const at = lastIndex(stretches, ({ start }) => start <= seconds);
  const stretch = stretches[Math.max(at, 0)];
  if (!stretch || stretch.programDateTime === null) return null;
  return stretch.programDateTime + (seconds - stretch.start) * 1000;
}

/** Where what happened at `wallMs` plays; what fell into a gap is taken for the gap's beginning. */
export function mediaTime(stretches: readonly Stretch[], wallMs: number): number | null {
  const at = lastIndex(
    stretches,
    ({ programDateTime }) => programDateTime !== null && programDateTime <= wallMs,
  );
  const stretch = stretches[Math.max(at, 0)];
  if (!stretch || stretch.programDateTime === null) return null;
  const within = Math.max(0, (wallMs - stretch.programDateTime) / 1000);
  const isLast = at === stretches.length - 1;
  return stretch.start + (isLast ? within : Math.min(within, stretch.duration));
}

/** By halves: a window of two hours has thousands of segments. */
function lastIndex(stretches: readonly Stretch[], holds: (stretch: Stretch) => boolean): number {
  let [from, to] = [0, stretches.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const stretch = stretches[middle];
    if (stretch && holds(stretch)) from = middle + 1;
    else to = middle;
  }
  return from - 1;
}

/** "1 minute 20 seconds behind live", "live"; for whoever listens to a slider. */
export function behindWords(behindMs: number): string {
  const seconds = Math.round(behindMs / 1000);
  if (seconds <= LIVE_WITHIN_S) return 'live';
  return `${durationWords(seconds)} behind live`;
}

/** "1 hour 2 minutes 3 seconds" */
export function durationWords(seconds: number): string {
  const parts: [number, string][] = [
    [Math.floor(seconds / 3600), 'hour'],
    [Math.floor(seconds / 60) % 60, 'minute'],
    [Math.floor(seconds) % 60, 'second'],
  ];
  const words = parts.filter(([n]) => n > 0).map(([n, unit]) => `${n} ${unit}${n === 1 ? '' : 's'}`);
  return words.join(' ') || '0 seconds';
}

const LIVE_WITHIN_S = 1;
