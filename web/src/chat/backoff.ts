/**
 * How long to wait before the next try: twice as long each time up to half a minute, and anything
 * between half of that and all of it, so that the readers of a server that comes back do not come at once.
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const whole = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.round(whole * (0.5 + random() / 2));
}

const FIRST_MS = 1000;
const MOST_MS = 30_000;
