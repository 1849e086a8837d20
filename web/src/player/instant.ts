/**
 * The direct way, by WHEP: one session from its offer to its end, with its quality, its figures, and the
 * signs that it will not come to anything. What follows from them is the player's to decide.
 */
import type { Carrier, CarrierEvent } from './carrier';
import type { LayerSet } from './layers';
import { barredBy } from './phase';
import { fulfils, type Quality, SOUND, SOUND_ONLY, type Wish } from './quality';
import type { Picture } from './screen';
import { type PlayerStats, StatsSampler } from './stats';
import type { ChangeReason } from './transport';
import { type DataPair, WhepSession } from './whep';

export class Instant implements Carrier {
  readonly transport = 'webrtc';
  readonly picture: Picture;
  qualities: Quality[] = [];
  pinned: string | null = null;
  connected = false;
  /** What came for the layer choice, for the statistics. */
  layers: LayerSet | null = null;

  readonly #session: WhepSession;
  readonly #soundOnly: boolean;
  readonly #tell: (event: CarrierEvent) => void;
  readonly #abort = new AbortController();
  readonly #sampler = new StatsSampler();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #startedAt = performance.now();
  #silencedAt = Number.NEGATIVE_INFINITY;
  #last: PlayerStats | null = null;
  #wish: Wish | null;
  #choosing = 0;
  #closed = false;
  #video: HTMLVideoElement | null = null;

  constructor(
    handle: string,
    options: {
      wish: Wish | null;
      tell: (carrier: Carrier, event: CarrierEvent) => void;
      /** Origin of the server; empty where the page is its own. */
      server?: string;
      /** With channels for data beside the picture. */
      withData?: boolean;
    },
  ) {
    this.#wish = options.wish;
    this.#soundOnly = options.wish?.rid === SOUND;
    this.#tell = (event) => {
      if (!this.#closed) options.tell(this, event);
    };
    this.#session = new WhepSession(
      `${options.server ?? ''}/whep/${encodeURIComponent(handle)}`,
      {
        connection: (state) => this.#connection(state),
        track: () => this.#fill(),
        layers: (layers) => this.#layers(layers),
        viewers: (count) => this.#tell({ name: 'viewers', count }),
        publisher: (active) => {
          if (!active) this.#silencedAt = performance.now();
          this.#tell({ name: 'publisher', active });
        },
        updated: () => this.#tell({ name: 'updated' }),
        ended: () => this.#tell({ name: 'ended' }),
        barred: (why) => this.#tell({ name: 'barred', why }),
        moved: () => this.#tell({ name: 'moved' }),
      },
      { soundOnly: this.#soundOnly, withData: options.withData ?? false },
    );
    this.picture = {
      attach: (video) => {
        this.#video = video;
        this.#fill();
      },
      detach: (video) => {
        this.#video = null;
        video.srcObject = null;
      },
    };
    if (this.#soundOnly) {
      this.qualities = [SOUND_ONLY];
      this.pinned = SOUND;
    }
  }

  get data(): DataPair | null {
    return this.#session.data;
  }

  get session(): string | null {
    return this.#session.id;
  }

  open(): void {
    void this.#open();
  }

  /** A stream without tracks would hold up the page's `load` for as long as nobody is live. */
  #fill(): void {
    const { stream } = this.#session;
    if (!this.#video || this.#video.srcObject === stream || stream.getTracks().length === 0) return;
    this.#video.srcObject = stream;
  }

  close(): void {
    this.#closed = true;
    this.#stopTimers();
    this.#abort.abort();
    this.#session.close();
  }

  timeline(): null {
    return null;
  }

  async sample(): Promise<PlayerStats | null> {
    const stats = await this.#sampler.sample(this.#session.pc, performance.now()).catch(() => null);
    if (this.#closed || !stats) return null;
    const before = this.#last;
    this.#last = stats;
    // What was on its way when the host went is no sign of a return.
    const leftover = performance.now() - this.#silencedAt < LEFTOVER_MS;
    const moves = stats.framesDecoded > (before?.framesDecoded ?? 0) || this.#onlySound(stats, before);
    if (moves && !leftover) {
      this.#stopTimers();
      this.#tell({ name: 'flows' });
    }
    return stats;
  }

  async choose(wish: Wish | null): Promise<boolean> {
    const before = { wish: this.#wish, pinned: this.pinned };
    this.#wish = wish;
    this.#pin(wish?.rid ?? null);
    if (await this.#askFor(wish?.rid ?? null)) return true;
    // Refused: it stays as it was.
    if (this.#wish === wish) this.#wish = before.wish;
    this.#pin(before.pinned);
    return false;
  }

  async #open(): Promise<void> {
    try {
      await this.#session.open(this.#abort.signal);
    } catch (error) {
      const why = barredBy(error);
      this.#tell(why ? { name: 'barred', why } : { name: 'refused', error });
      return;
    }
    if (this.#closed || this.connected) return;
    this.#watch('blocked', () => this.#tell({ name: 'never_connected' }), CONNECT_LIMIT_MS);
  }

  #connection(state: RTCPeerConnectionState): void {
    if (state === 'connected') {
      this.connected = true;
      this.#stopTimers();
      this.#tell({ name: 'connected' });
    } else if (state === 'disconnected') void this.#restart();
    else if (state === 'failed') {
      if (!this.connected) this.#tell({ name: 'never_connected' });
      else this.#lost('ice_failed', 'Your connection to the server was lost.');
    }
  }

  /** The network changed under a running session: same session, new path (RFC 9725 §4.3.3). */
  async #restart(): Promise<void> {
    this.#tell({ name: 'restarting' });
    this.#stopTimers();
    const dropped = () => this.#lost('ice_failed', DROPPED);
    this.#watch('ice_failed', dropped, RESTART_LIMIT_MS);
    await this.#session.restart(this.#abort.signal).catch(dropped);
  }

  #lost(reason: ChangeReason, words: string): void {
    this.#tell({ name: 'lost', reason, words });
  }

  /** Until media flows: first doubt, then little hope, then none. */
  #watch(reason: ChangeReason, none: () => void, limitMs: number): void {
    const after = (ms: number, act: () => void) => this.#timers.add(setTimeout(act, ms));
    after(DOUBT_MS, () => this.#tell({ name: 'doubtful', reason }));
    after(LATE_MS, () => this.#tell({ name: 'late' }));
    after(limitMs, none);
  }

  #stopTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Sound flows, and a picture would have come by now. */
  #onlySound(stats: PlayerStats, before: PlayerStats | null): boolean {
    if (stats.framesDecoded > 0 || stats.packetsReceived <= (before?.packetsReceived ?? 0)) return false;
    return this.#soundOnly || performance.now() - this.#startedAt > NO_PICTURE_MS;
  }

  #layers(layers: LayerSet): void {
    this.layers = layers;
    if (!this.#soundOnly) {
      const pictures = layers.layers.map((layer) => ({ id: layer.rid, layer }));
      this.qualities = [...pictures, SOUND_ONLY];
    }
    this.#tell({ name: 'qualities' });
    if (this.#choosing > 0 || this.#soundOnly) return;
    const wished = fulfils(this.#wish, this.qualities)?.id ?? null;
    // The server chooses by itself what the host does not send.
    if (wished === null) this.#pin(null);
    // A new session does not know the wish yet, nor does one that could not follow it before.
    else if (this.pinned !== wished) void this.#pinAgain(wished);
  }

  async #pinAgain(rid: string): Promise<void> {
    const wish = this.#wish;
    if ((await this.#askFor(rid)) && this.#wish === wish) this.#pin(rid);
  }

  #pin(rid: string | null): void {
    if (this.pinned === rid) return;
    this.pinned = rid;
    this.#tell({ name: 'qualities' });
  }

  /** True once the server holds to it, and when a newer wish has taken its place. */
  async #askFor(rid: string | null): Promise<boolean> {
    const mediaId = this.layers?.mediaId;
    if (mediaId === undefined) return false;
    this.#choosing += 1;
    const choosing = this.#choosing;
    const accepted = await this.#session.choose(mediaId, rid);
    if (this.#closed || choosing !== this.#choosing) return true;
    this.#choosing = 0;
    return accepted;
  }
}

const DROPPED = 'Your connection dropped.';
const DOUBT_MS = 1200;
const LATE_MS = 3000;
const CONNECT_LIMIT_MS = 10_000;
const RESTART_LIMIT_MS = 5000;
const LEFTOVER_MS = 1500;
const NO_PICTURE_MS = 3000;
