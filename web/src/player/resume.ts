/** How far somebody got in which recording: kept in this browser, the last fifty. */

const KEY = 'tallylight.resume';
const KEPT = 50;
/** Who has seen less than this begins again, and who has seen all but this has seen it. */
const EDGE_S = 10;

type Places = [id: string, seconds: number][];

/** Seconds to go on at; `null` to begin at the beginning. */
export function resumePoint(id: string): number | null {
  return places().find(([kept]) => kept === id)?.[1] ?? null;
}

export function keepPlace(id: string, seconds: number, duration: number): void {
  const others = places().filter(([kept]) => kept !== id);
  const midway = seconds > EDGE_S && seconds < duration - EDGE_S;
  const now: Places = midway ? [[id, Math.floor(seconds)], ...others] : others;
  try {
    localStorage.setItem(KEY, JSON.stringify(now.slice(0, KEPT)));
  } catch {
    // Private windows may refuse storage; then every visit begins at the beginning.
  }
}

function places(): Places {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter(isPlace) : [];
  } catch {
    return [];
  }
}

function isPlace(entry: unknown): entry is [string, number] {
  return Array.isArray(entry) && typeof entry[0] === 'string' && typeof entry[1] === 'number';
}

/** Seconds of a link's `t`: "90", "90s", "1m30s", "1h2m3s"; `null` when it is none. */
export function parseMoment(text: string): number | null {
  const match = /^(?:(\d{1,3})h)?(?:(\d{1,4})m)?(?:(\d{1,6})s?)?$/.exec(text);
  if (!match || text === '') return null;
  const [, hours = '0', minutes = '0', seconds = '0'] = match;
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}

/** "1h2m3s", as `parseMoment` reads it. */
export function momentText(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts: [number, string][] = [
    [Math.floor(whole / 3600), 'h'],
    [Math.floor(whole / 60) % 60, 'm'],
    [whole % 60, 's'],
  ];
  return (
    parts
      .filter(([n]) => n > 0)
      .map(([n, unit]) => `${n}${unit}`)
      .join('') || '0s'
  );
}
