/**
 * What one has said and the server has not answered yet. A `ref` says it once, however often it is sent:
 * what was cut off in the middle is sent again, for as long as the server remembers the ref.
 */
import type { ReplyTo } from './protocol';

export interface Pending {
  ref: string;
  text: string;
  replyTo: ReplyTo | null;
  seenMs: number | null;
  /** On a clock that only rises. */
  madeAt: number;
  sentAt: number | null;
}

export class Outbox {
  readonly #pending = new Map<string, Pending>();

  add(pending: Omit<Pending, 'sentAt'>): Pending {
    const whole = { ...pending, sentAt: null };
    this.#pending.set(pending.ref, whole);
    return whole;
  }

  get(ref: string): Pending | null {
    return this.#pending.get(ref) ?? null;
  }

  /** The server has answered, or one has given it up. */
  settle(ref: string): Pending | null {
    const pending = this.get(ref);
    this.#pending.delete(ref);
    return pending;
  }

  /** The first that says this: the message may be told before it is accepted. */
  saying(text: string): Pending | null {
    for (const pending of this.#pending.values()) if (pending.text === text) return pending;
    return null;
  }

  sent(ref: string, now: number): void {
    const pending = this.#pending.get(ref);
    if (pending) pending.sentAt = now;
  }

  /** To be sent over a wire that has just come up; what is too old for that is not among them. */
  toSend(now: number): Pending[] {
    return [...this.#pending.values()].filter(({ madeAt }) => now - madeAt < REMEMBERED_MS);
  }

  /** No answer came, or there was nobody to send it to, for too long. */
  overdue(now: number): Pending[] {
    return [...this.#pending.values()].filter(({ madeAt, sentAt }) =>
      sentAt === null ? now - madeAt > UNSENT_MS : now - sentAt > UNANSWERED_MS,
    );
  }
}

/** The server knows a ref for two minutes; a little is lost on the way. */
export const REMEMBERED_MS = 110_000;
const UNANSWERED_MS = 10_000;
const UNSENT_MS = 30_000;
