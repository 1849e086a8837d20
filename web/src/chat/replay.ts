/**
 * What was said during a recording, shown as the recording plays. Asks for it a window at a time, a
 * little ahead of the picture; a jump begins anew where it lands.
 */
import { Store } from '../store';
import type { Message } from './protocol';
import { MOST_ROWS, type Row, rowOf } from './rows';

export interface ReplayPage {
  items: Message[];
  /** Where the next page of the same window begins. */
  next_after: string | null;
}

export interface ReplayState {
  rows: readonly Row[];
  state: 'loading' | 'ready' | 'failed';
  /** Nothing was said up to here; whether later is not known. */
  isQuiet: boolean;
}

type Load = (fromMs: number, toMs: number, after: string | null) => Promise<ReplayPage>;

export class Replay {
  readonly store = new Store<ReplayState>({ rows: [], state: 'loading', isQuiet: true });
  readonly #load: Load;
  /** By their number; `null` while one is on its way. */
  readonly #windows = new Map<number, readonly Message[] | null>();
  /** The window that what is shown begins with. */
  #first = 0;
  #at = -1;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(load: Load) {
    this.#load = load;
  }

  /** Called often: where in the stream the picture is. */
  reach(streamMs: number): void {
    const window = Math.max(0, Math.floor(streamMs / WINDOW_MS));
    const jumped = streamMs < this.#at || streamMs - this.#at > JUMP_MS || this.#at < 0;
    this.#at = streamMs;
    if (jumped) this.#first = Math.max(0, window - BEFORE);
    for (let each = this.#first; each <= window; each += 1) this.#want(each);
    if (streamMs % WINDOW_MS > WINDOW_MS - AHEAD_MS) this.#want(window + 1);
    this.#show();
  }

  retry(): void {
    this.#failedAt = Number.NEGATIVE_INFINITY;
    this.reach(Math.max(0, this.#at));
  }

  #want(window: number): void {
    if (this.#windows.has(window) || performance.now() - this.#failedAt < PAUSE_MS) return;
    this.#windows.set(window, null);
    void this.#fetch(window);
  }

  async #fetch(window: number): Promise<void> {
    try {
      const messages: Message[] = [];
      let after: string | null = null;
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const answer: ReplayPage = await this.#load(window * WINDOW_MS, (window + 1) * WINDOW_MS, after);
        messages.push(...answer.items);
        after = answer.next_after;
        if (after === null || answer.items.length === 0) break;
      }
      this.#windows.set(window, messages.sort(inStep));
    } catch {
      this.#windows.delete(window);
      this.#failedAt = performance.now();
      this.store.set({ state: 'failed' });
    }
    this.#show();
  }

  #show(): void {
    const until = Math.max(0, Math.floor(this.#at / WINDOW_MS));
    const rows: Row[] = [];
    let isWhole = true;
    for (let window = this.#first; window <= until; window += 1) {
      const messages = this.#windows.get(window);
      if (!messages) isWhole = false;
      for (const message of messages ?? []) {
        if ((message.stream_time_ms ?? 0) <= this.#at) rows.push(rowOf(message));
      }
    }
    const shown = rows.slice(-MOST_ROWS);
    if (!sameRows(shown, this.store.get().rows)) this.store.set({ rows: shown });
    if (isWhole) this.store.set({ state: 'ready', isQuiet: shown.length === 0 });
    else if (performance.now() - this.#failedAt > PAUSE_MS) this.store.set({ state: 'loading' });
  }
}

const inStep = (a: Message, b: Message): number =>
  (a.stream_time_ms ?? 0) - (b.stream_time_ms ?? 0) || a.id - b.id;

function sameRows(a: readonly Row[], b: readonly Row[]): boolean {
  return a.length === b.length && a[0]?.key === b[0]?.key && a.at(-1)?.key === b.at(-1)?.key;
}

/** Where the picture of a recording is in its stream: by the times in the playlist, where it has them. */
export function streamTimeMs(positionMs: number, wallMs: number | null, startedAt: string): number {
  const started = Date.parse(startedAt);
  const byWall = wallMs === null || Number.isNaN(started) ? null : wallMs - started;
  // A recording never begins before its stream: such times are of some other clock.
  return byWall !== null && byWall >= -CLOCK_MS ? Math.max(0, byWall) : positionMs;
}

const WINDOW_MS = 60_000;
/** Windows before the one that is jumped to: there is something to read at once. */
const BEFORE = 1;
const AHEAD_MS = 15_000;
const JUMP_MS = 30_000;
const MOST_PAGES = 20;
const PAUSE_MS = 5000;
const CLOCK_MS = 2000;
