/** When a transport is too bad to go on with, and when a better one is tried again. Pure. */

interface Heard {
  /** 0–1, of the last second. */
  loss: number | null;
  /** Of the session so far. */
  freezes: number;
  freezeMs: number;
}

const HIGH_LOSS = 0.08;
const HIGH_LOSS_SECONDS = 6;
const FREEZE_WINDOW_S = 30;
const MANY_FREEZES = 4;
const LONG_FREEZES_MS = 4000;

/** Judges a direct connection, told of every second of it. */
export class LossWatch {
  #lossy = 0;
  #history: Heard[] = [];

  /** True when it is time to leave. */
  take(second: Heard): boolean {
    this.#lossy = (second.loss ?? 0) > HIGH_LOSS ? this.#lossy + 1 : 0;
    this.#history = [...this.#history.slice(1 - FREEZE_WINDOW_S), second];
    return this.#lossy >= HIGH_LOSS_SECONDS || this.#freezes();
  }

  /** The seconds so far do not count: the host was away, or nobody looked. */
  forget(): void {
    this.#lossy = 0;
    this.#history = [];
  }

  #freezes(): boolean {
    const [first] = this.#history;
    const last = this.#history.at(-1);
    if (!first || !last) return false;
    return last.freezes - first.freezes >= MANY_FREEZES && last.freezeMs - first.freezeMs >= LONG_FREEZES_MS;
  }
}

const STALL_WINDOW_MS = 30_000;
const MANY_STALLS = 3;
const LONG_STALL_MS = 4000;
/** Shorter ones nobody sees. */
const NOTICED_MS = 200;

/** Judges playback from a buffer by how often and how long it runs dry. */
export class StallWatch {
  #stalls: number[] = [];
  #since: number | null = null;
  count = 0;
  totalMs = 0;

  began(now: number): void {
    this.#since ??= now;
  }

  ended(now: number): void {
    const lasted = this.stalledFor(now);
    this.#since = null;
    if (lasted < NOTICED_MS) return;
    this.#stalls.push(now);
    this.count += 1;
    this.totalMs += lasted;
  }

  /** True when it keeps stalling. */
  isBad(now: number): boolean {
    this.#stalls = this.#stalls.filter((at) => now - at < STALL_WINDOW_MS);
    return this.#stalls.length >= MANY_STALLS || this.stalledFor(now) >= LONG_STALL_MS;
  }

  stalledFor(now: number): number {
    return this.#since === null ? 0 : now - this.#since;
  }

  /** What was does not count any more: playback goes on elsewhere, or otherwise. */
  forget(now: number): void {
    this.ended(now);
    this.#stalls = [];
  }
}

const PROBE_DELAYS_MS = [30_000, 60_000, 120_000, 240_000, 300_000];

/** How long after the n-th failure in a row (0: after the fall) a better transport is tried again. */
export function probeDelay(failures: number): number {
  return PROBE_DELAYS_MS[Math.min(failures, PROBE_DELAYS_MS.length - 1)] ?? 300_000;
}
