/**
 * What gets ready behind the picture, at most one at a time. It takes over when it plays and may; it is
 * let go when it comes to nothing. What either means is the player's to say.
 */
import type { Carrier, CarrierEvent } from './carrier';
import type { Screen } from './screen';
import type { PlayerStats } from './stats';
import type { ChangeReason } from './transport';

export interface Next {
  carrier: Carrier;
  /**
   * `hedge` waits for the carrier in front to fail, `fall` replaces it, `climb` is faster, `seek` is at
   * another moment, `renew` the same anew.
   */
  why: 'hedge' | 'fall' | 'climb' | 'seek' | 'renew';
  reason: ChangeReason | null;
  /** It may take over as soon as it plays. */
  armed: boolean;
  /** The viewer asked for it. */
  byViewer?: boolean;
  /** It is to stand still at its first frame. */
  still?: boolean;
}

interface Listener {
  /** It plays and may: it is the caller's now, and its picture waits to be put in front. */
  ready(next: Next): void;
  /** It came to nothing, and is gone. */
  failed(next: Next): void;
}

export class Backstage {
  readonly #screen: Screen;
  readonly #listener: Listener;
  #next: Next | null = null;
  #plays = false;
  /** Seconds on end in which it played well. */
  #goodSeconds = 0;
  #since = 0;

  constructor(screen: Screen, listener: Listener) {
    this.#screen = screen;
    this.#listener = listener;
  }

  get why(): Next['why'] | null {
    return this.#next?.why ?? null;
  }

  get carrier(): Carrier | null {
    return this.#next?.carrier ?? null;
  }

  /** In place of what was there. */
  open(next: Next): void {
    this.drop();
    const { carrier } = next;
    this.#next = next;
    this.#plays = false;
    this.#goodSeconds = 0;
    this.#since = performance.now();
    this.#screen.prepare(carrier.picture, () => this.heard(carrier, { name: 'flows' }), next.still);
    carrier.open();
  }

  drop(): void {
    const next = this.#next;
    this.#next = null;
    if (!next) return;
    this.#screen.cancel();
    next.carrier.close();
  }

  /** Lets it take over, perhaps for another reason than it was opened for. */
  arm(change: Partial<Pick<Next, 'why' | 'reason' | 'byViewer'>> = {}): void {
    if (!this.#next) return;
    Object.assign(this.#next, change, { armed: true });
    this.#take();
  }

  /** Events of other carriers are not heard. */
  heard(carrier: Carrier, { name }: CarrierEvent): void {
    if (carrier !== this.#next?.carrier) return;
    if (name === 'flows') {
      this.#plays = true;
      this.#take();
    } else if (ENDS.has(name)) this.#fail();
  }

  /** Called once a second. */
  async look(): Promise<void> {
    const next = this.#next;
    if (!next) return;
    const stats = await next.carrier.sample();
    if (next !== this.#next) return;
    this.#judge(next, stats);
    const waits = next.why === 'hedge' && this.#plays;
    if (performance.now() - this.#since > LIMIT_MS && !waits) this.#fail();
    else this.#take();
  }

  /** Nobody is pulled up to a faster transport that does not hold. */
  #judge(next: Next, stats: PlayerStats | null): void {
    if (next.why !== 'climb' || !this.#plays) return;
    this.#goodSeconds = (stats?.loss ?? 0) < GOOD_LOSS ? this.#goodSeconds + 1 : 0;
    if (this.#goodSeconds >= GOOD_SECONDS) next.armed = true;
  }

  #take(): void {
    const next = this.#next;
    if (!next?.armed || !this.#plays) return;
    this.#next = null;
    this.#listener.ready(next);
  }

  #fail(): void {
    const next = this.#next;
    this.drop();
    if (next) this.#listener.failed(next);
  }
}

const ENDS = new Set<CarrierEvent['name']>(['lost', 'refused', 'never_connected', 'ended', 'moved']);
const LIMIT_MS = 12_000;
const GOOD_LOSS = 0.03;
const GOOD_SECONDS = 3;
