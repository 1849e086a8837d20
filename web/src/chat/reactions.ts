/** Reactions: how often one may send them, and what is seen of everybody's. */

/** One emoji on its way over the picture. */
export interface Burst {
  id: number;
  emoji: string;
  /** Where it rises: share of the width. */
  x: number;
  delayMs: number;
}

/** At most one in so many milliseconds is sent; what is tapped faster is not. */
export class ReactionGate {
  #last = Number.NEGATIVE_INFINITY;

  pass(now: number): boolean {
    if (now - this.#last < EVERY_MS) return false;
    this.#last = now;
    return true;
  }
}

/** What was shown at once as one's own must not be shown again when everybody's are told. */
export class OwnReactions {
  readonly #own = new Map<string, number[]>();

  sent(emoji: string, now: number): void {
    this.#own.set(emoji, [...(this.#own.get(emoji) ?? []), now]);
  }

  /** The reactions of others among these. */
  without(counts: Record<string, number>, now: number): Record<string, number> {
    const others = Object.entries(counts).map(([emoji, count]) => {
      const own = (this.#own.get(emoji) ?? []).filter((at) => now - at < FORGET_MS);
      const mine = Math.min(own.length, count);
      this.#own.set(emoji, own.slice(mine));
      return [emoji, count - mine] as const;
    });
    return Object.fromEntries(others.filter(([, count]) => count > 0));
  }
}

let made = 0;

/** What is shown of so many: all of a few, and of thousands a crowd that a screen can hold. */
export function burstsOf(counts: Record<string, number>, random: () => number = Math.random): Burst[] {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const share = Math.min(1, MOST_AT_ONCE / Math.max(1, total));
  return Object.entries(counts).flatMap(([emoji, count]) =>
    Array.from({ length: Math.max(1, Math.floor(count * share)) }, () => {
      made += 1;
      return { id: made, emoji, x: 0.05 + random() * 0.9, delayMs: Math.round(random() * WITHIN_MS) };
    }),
  );
}

const EVERY_MS = 100;
/** Longer than the way to the server and back, and the time that a picture is behind. */
const FORGET_MS = 30_000;
const MOST_AT_ONCE = 12;
const WITHIN_MS = 250;
/** How long one is seen. */
export const BURST_MS = 1800;
/** More than this on the screen are not drawn. */
export const MOST_BURSTS = 60;
