/** The reactions that are on the screen now, and how many there were lately. */
import { Store } from '../store';
import { BURST_MS, type Burst, burstsOf, MOST_BURSTS, OwnReactions, ReactionGate } from './reactions';

export interface ApplauseState {
  bursts: readonly Burst[];
  /** Of the last seconds, for whoever wants nothing to move. */
  lately: Readonly<Record<string, number>>;
}

export class Applause {
  readonly store = new Store<ApplauseState>({ bursts: [], lately: {} });
  readonly #gate = new ReactionGate();
  readonly #own = new OwnReactions();
  #shown: { at: number; bursts: Burst[]; counts: Record<string, number> }[] = [];

  /** Shows one's own at once; `false` when it came too soon after the last. */
  own(emoji: string, now: number): boolean {
    if (!this.#gate.pass(now)) return false;
    this.#own.sent(emoji, now);
    this.#add({ [emoji]: 1 }, now);
    return true;
  }

  /** What everybody sent, of which one's own is shown already. */
  others(counts: Record<string, number>, now: number): void {
    this.#add(this.#own.without(counts, now), now);
  }

  /** Called often: what was seen long enough goes. */
  look(now: number): void {
    const before = this.#shown.length;
    this.#shown = this.#shown.filter(({ at }) => now - at < LATELY_MS);
    const flying = this.#flying(now);
    if (before !== this.#shown.length || flying.length !== this.store.get().bursts.length) this.#tell(now);
  }

  stop(): void {
    this.#shown = [];
    this.#tell(0);
  }

  #add(counts: Record<string, number>, now: number): void {
    if (Object.keys(counts).length === 0) return;
    const room = MOST_BURSTS - this.#flying(now).length;
    this.#shown.push({ at: now, bursts: burstsOf(counts).slice(0, Math.max(0, room)), counts });
    this.#tell(now);
  }

  #flying(now: number): Burst[] {
    return this.#shown.filter(({ at }) => now - at < BURST_MS).flatMap(({ bursts }) => bursts);
  }

  #tell(now: number): void {
    const lately: Record<string, number> = {};
    for (const { counts } of this.#shown) {
      for (const [emoji, count] of Object.entries(counts)) lately[emoji] = (lately[emoji] ?? 0) + count;
    }
    this.store.set({ bursts: this.#flying(now), lately });
  }
}

const LATELY_MS = 4000;
