/**
 * What was said during a recording, shown as the recording plays. Asks for it a window at a time, a
 * little ahead of the picture; a jump begins anew where it lands.
 */
import { Store } from '../store';
import type { Message } from './protocol';
import { type Row, rowOf, withAppended } from './rows';

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
  /** By their number; `null` while one is on its way. The oldest are let go of. */
  readonly #windows = new Map<number, readonly Message[] | null>();
  /** What is shown next: the window, and the place in it. */
  #next = { window: 0, place: 0 };
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
    if (jumped) this.#begin(Math.max(0, window - BEFORE));
    for (let each = this.#next.window; each <= window; each += 1) this.#want(each);
    if (streamMs % WINDOW_MS > WINDOW_MS - AHEAD_MS) this.#want(window + 1);
    this.#show();
  }

  retry(): void {
    this.#failedAt = Number.NEGATIVE_INFINITY;
    this.reach(Math.max(0, this.#at));
  }

  #begin(window: number): void {
    this.#next = { window, place: 0 };
    if (this.store.get().rows.length > 0) this.store.set({ rows: [] });
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
      do {
        const page = await this.#load(window * WINDOW_MS, (window + 1) * WINDOW_MS, after);
        // The same place again would never end.
        if (page.next_after !== null && page.next_after === after) throw new Error('the pages do not go on');
        messages.push(...page.items);
        after = page.next_after;
      } while (after !== null);
      this.#windows.set(window, messages.sort(inStep));
      this.#letGo();
    } catch {
      this.#windows.delete(window);
      this.#failedAt = performance.now();
      this.store.set({ state: 'failed' });
    }
    this.#show();
  }

  /** Whoever goes back so far asks for them again. */
  #letGo(): void {
    for (const window of this.#windows.keys()) {
      if (this.#windows.size <= MOST_WINDOWS) return;
      if (window < this.#next.window) this.#windows.delete(window);
    }
  }

  #show(): void {
    const { fresh, isWhole } = this.#advance();
    if (fresh.length > 0) this.store.set({ rows: withAppended(this.store.get().rows, fresh) });
    if (isWhole) this.store.set({ state: 'ready', isQuiet: this.store.get().rows.length === 0 });
    else if (performance.now() - this.#failedAt > PAUSE_MS) this.store.set({ state: 'loading' });
  }

  /** Goes on from what is shown to where the picture is, as far as it is loaded. */
  #advance(): { fresh: Row[]; isWhole: boolean } {
    const until = Math.max(0, Math.floor(this.#at / WINDOW_MS));
    const fresh: Row[] = [];
    for (;;) {
      const { window, place } = this.#next;
      const messages = this.#windows.get(window);
      if (!messages) return { fresh, isWhole: false };
      const later = messages.findIndex((message, at) => at >= place && timeOf(message) > this.#at);
      const end = later < 0 ? messages.length : later;
      for (const message of messages.slice(place, end)) fresh.push(rowOf(message));
      this.#next.place = end;
      if (window >= until) return { fresh, isWhole: true };
      this.#next = { window: window + 1, place: 0 };
    }
  }
}

const timeOf = ({ stream_time_ms }: Message): number => stream_time_ms ?? 0;

const inStep = (a: Message, b: Message): number => timeOf(a) - timeOf(b) || a.id - b.id;

/**
 * Where the picture of a recording is in its stream: by the times in the playlist, where it has them. The recording
 * may be a part of it that began later.
 */
export function streamTimeMs(
  positionMs: number,
  wallMs: number | null,
  startedAt: string,
  beganMs = 0,
): number {
  const started = Date.parse(startedAt);
  const byWall = wallMs === null || Number.isNaN(started) ? null : wallMs - started;
  // A recording never begins before its stream: such times are of some other clock.
  return byWall !== null && byWall >= -CLOCK_MS ? Math.max(0, byWall) : beganMs + positionMs;
}

const WINDOW_MS = 60_000;
/** Windows before the one that is jumped to: there is something to read at once. */
const BEFORE = 1;
const AHEAD_MS = 15_000;
const JUMP_MS = 30_000;
/** Half an hour of it. */
const MOST_WINDOWS = 30;
const PAUSE_MS = 5000;
const CLOCK_MS = 2000;
