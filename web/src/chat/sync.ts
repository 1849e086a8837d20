/**
 * Holds back what belongs to a later picture than the one that is seen. Each thing waits for the moment
 * of the stream that it was said about; without a picture nothing waits. Deletions reach what waits, too.
 */

interface Waiting<T> {
  item: T;
  /** Milliseconds of the stream. */
  dueMs: number;
}

export class Sync<T> {
  readonly #release: (items: T[]) => void;
  /** By when they are due; of the same moment in the order in which they came. */
  #waiting: Waiting<T>[] = [];

  constructor(release: (items: T[]) => void) {
    this.#release = release;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** `pictureMs` is the moment that is seen; `null` where nothing plays. */
  add(item: T, dueMs: number | null, pictureMs: number | null): void {
    if (dueMs === null || pictureMs === null || dueMs <= pictureMs) {
      this.#release([item]);
      return;
    }
    const at = this.#waiting.findLastIndex((other) => other.dueMs <= dueMs);
    this.#waiting.splice(at + 1, 0, { item, dueMs });
    // Whoever is hours behind need not keep all that is said meanwhile.
    if (this.#waiting.length > MOST) this.#waiting.shift();
  }

  /** Lets go of all that the picture has come to. */
  reach(pictureMs: number | null): void {
    const until = pictureMs === null ? this.#waiting.length : this.#count(pictureMs);
    if (until === 0) return;
    const due = this.#waiting.slice(0, until);
    this.#waiting = this.#waiting.slice(until);
    this.#release(due.map(({ item }) => item));
  }

  /** Takes away what is not to be shown any more. */
  drop(gone: (item: T) => boolean): void {
    this.#waiting = this.#waiting.filter(({ item }) => !gone(item));
  }

  has(wanted: (item: T) => boolean): boolean {
    return this.#waiting.some(({ item }) => wanted(item));
  }

  /** Puts newer words in the place of what waits; says whether something did. */
  replace(same: (item: T) => boolean, item: T): boolean {
    const waiting = this.#waiting.find((other) => same(other.item));
    if (waiting) waiting.item = item;
    return waiting !== undefined;
  }

  #count(pictureMs: number): number {
    const first = this.#waiting.findIndex(({ dueMs }) => dueMs > pictureMs);
    return first < 0 ? this.#waiting.length : first;
  }
}

const MOST = 5000;

/** Where the picture is, as the page knows it: since when what is shown happened, or how late it is. */
export type Shown = { wallMs: number } | { behindMs: number } | null;

/**
 * How long the stream had been on air in the picture that is seen. `clockAheadMs` is how far the
 * server's clock is ahead of this one.
 */
export function pictureMs(
  shown: Shown,
  startedAt: string | null,
  now: number,
  clockAheadMs: number,
): number | null {
  const started = Date.parse(startedAt ?? '');
  if (!shown || Number.isNaN(started)) return null;
  const wallMs = 'wallMs' in shown ? shown.wallMs : now + clockAheadMs - shown.behindMs;
  return Math.max(0, Math.round(wallMs - started));
}
