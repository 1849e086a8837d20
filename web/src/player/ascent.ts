/** What a player remembers of ways that did not work, and when it tries them again. Pure. */
import type { Transport } from './transport';
import { probeDelay } from './trouble';

export class Ascent {
  /** What it fell to; `null` while the wished transport works, or was left on purpose. */
  fallen: Transport | null = null;
  #failures = 0;
  #dueAt = Number.POSITIVE_INFINITY;
  #climbedAt = Number.NEGATIVE_INFINITY;

  fell(to: Transport, now: number): void {
    if (this.fallen === null && now - this.#climbedAt > HELD_MS) this.#failures = 0;
    this.fallen = to;
    this.#dueAt = now + probeDelay(this.#failures);
    this.#failures += 1;
  }

  /** A try to climb came to nothing. */
  failed(now: number): void {
    this.#dueAt = now + probeDelay(this.#failures);
    this.#failures += 1;
  }

  isDue(now: number): boolean {
    return this.fallen !== null && now >= this.#dueAt;
  }

  /** The network changed: now is a better time than any. */
  hurry(now: number): void {
    if (this.fallen !== null) this.#dueAt = now;
  }

  /** It is up again; what fails within minutes is tried again later than before. */
  climbed(now: number): void {
    this.#climbedAt = now;
    this.fallen = null;
    this.#dueAt = Number.POSITIVE_INFINITY;
  }

  /** Another choice or another stream: everything may work. */
  forget(): void {
    this.climbed(Number.NEGATIVE_INFINITY);
    this.#failures = 0;
  }
}

/** A climb that lasted this long was one. */
const HELD_MS = 300_000;
