/**
 * Looks once a second at what plays, at the renditions there are and at what the server says of the
 * channel, and holds that against what is seen. What follows is the player's to do.
 */
import type { Carrier } from './carrier';
import { type ChannelFacts, fetchChannel, isLetIn, offered, previewLeft } from './channel';
import { Delayed } from './delayed';
import type { Fallback } from './fallback';
import { Instant } from './instant';
import type { Phase } from './phase';
import type { Playing } from './playing';
import { SOUND } from './quality';
import type { Rewind } from './rewind';
import type { PlayerStats } from './stats';
import type { Transport } from './transport';
import { fetchVariants } from './variants';

/** What the player does about it. */
interface Acts {
  join(): void;
  /** Another stream began: of the last nothing counts any more. */
  joinAnew(): void;
  /** What to join by; `null` while it is not known yet. */
  joinable(): Transport | null;
  /** The same transport at the same place, from the start. */
  renew(): void;
  reconnect(reason: string): void;
  /** No `ended` was heard, and yet it is over. */
  gone(): void;
  /** Whoever was barred may watch now. */
  admit(): void;
  /** There is no such channel. */
  missing(): void;
  /** Who pauses is not without a picture. */
  standsStill(): void;
  tellPresence(): void;
}

export class Lookout {
  readonly #playing: Playing;
  readonly #fallback: Fallback;
  readonly #rewind: Rewind;
  readonly #acts: Acts;
  #tick: ReturnType<typeof setInterval> | undefined;
  #ticks = 0;
  #endedStream: string | null = null;
  /** The list of renditions as last seen, and how many playback was begun anew for. */
  #variants: string[] | null = null;
  #grownTo = 0;
  /** The way that the creator prefers was taken, or tried. */
  #preferred = false;

  constructor(playing: Playing, fallback: Fallback, rewind: Rewind, acts: Acts) {
    this.#playing = playing;
    this.#fallback = fallback;
    this.#rewind = rewind;
    this.#acts = acts;
  }

  get isOn(): boolean {
    return this.#tick !== undefined;
  }

  start(): void {
    this.#tick = setInterval(() => void this.#everySecond(), 1000);
  }

  stop(): void {
    clearInterval(this.#tick);
    this.#tick = undefined;
  }

  /** The stream is over, though the server may call it live for a moment. */
  noteEnd(): void {
    this.#endedStream = this.#playing.store.get().channel?.startedAt ?? null;
  }

  /** The next stream may be preferred another way. */
  forgetPreference(): void {
    this.#preferred = false;
  }

  /** Something else plays, of which no list was seen. */
  forgetVariants(): void {
    this.#variants = null;
  }

  async askChannel(): Promise<void> {
    const { handle, server, store } = this.#playing;
    const channel = await fetchChannel(handle, server);
    if (channel === null || !this.isOn) return;
    if (channel === 'missing') {
      this.#acts.missing();
      return;
    }
    const { viewers } = store.get();
    const told = this.#playing.carrier() instanceof Instant && this.#phase === 'live' && viewers !== null;
    const left = previewLeft(channel.entry);
    const previewEndsAt = left === null ? null : Date.now() + left;
    store.set({ channel, previewEndsAt, ...(told ? {} : { viewers: channel.viewers }) });
    this.#compare(channel);
  }

  get #phase(): Phase['name'] {
    return this.#playing.store.get().phase.name;
  }

  /** Something gets ready behind the picture. */
  get #isBusy(): boolean {
    return this.#playing.backstage.why !== null;
  }

  async #everySecond(): Promise<void> {
    this.#ticks += 1;
    const carrier = this.#playing.carrier();
    if (carrier) {
      const stats = await carrier.sample();
      if (stats && carrier === this.#playing.carrier()) this.#sampled(carrier, stats);
    }
    this.#acts.tellPresence();
    await this.#playing.backstage.look();
    this.#rewind.watchPause();
    this.#fallback.climbIfDue();
    if (this.#ticks % VARIANTS_EVERY === 0) await this.#lookForVariants();
    if (this.#ticks % this.#askEvery === 0 && this.#phase !== 'not_found') await this.askChannel();
  }

  /** Seconds between questions for the channel. */
  get #askEvery(): number {
    const { channel } = this.#playing.store.get();
    const carrier = this.#playing.carrier();
    const phase = this.#phase;
    const comes = this.#fallback.isFalling && (!channel || channel.hls?.state === 'preparing');
    if (comes || (carrier === null && phase === 'connecting')) return 1;
    const waiting = phase === 'offline' || phase === 'ended';
    const doubtful =
      phase === 'host_reconnecting' || (carrier !== null && this.#playing.silentFor() > SILENCE_MS);
    if (waiting || doubtful) return 2;
    // Without a direct connection nobody tells how many watch.
    return carrier instanceof Delayed ? 5 : 15;
  }

  #sampled(carrier: Carrier, stats: PlayerStats): void {
    const { store } = this.#playing;
    store.set({ stats, latencyMs: stats.latencyMs, timeline: this.#rewind.timeline(carrier, stats) });
    if (carrier instanceof Delayed && store.get().paused) this.#acts.standsStill();
    else {
      this.#fallback.judge(carrier, stats);
      if (carrier instanceof Delayed) this.#rewind.follow(carrier, stats);
    }
    if (this.#phase === 'connecting' && this.#playing.silentFor() > STUCK_MS) {
      this.#acts.reconnect('The connection stands, but no picture arrives.');
    }
  }

  /** The layers of a simulcast come up one after another: a player reads their list once. */
  async #lookForVariants(): Promise<void> {
    const { store } = this.#playing;
    const carrier = this.#playing.carrier();
    const offer = offered(store.get().channel);
    if (!(carrier instanceof Delayed) || !offer || this.#isBusy || this.#phase !== 'live') return;
    if (carrier.pinned === SOUND || store.get().paused) return;
    const variants = await fetchVariants(offer.url);
    if (variants === null || carrier !== this.#playing.carrier() || this.#isBusy) return;
    const known = this.#variants;
    this.#variants = variants;
    const shown = carrier.qualities.length - 1;
    const grew = known
      ? variants.some((variant) => !known.includes(variant))
      : shown > 0 && variants.length > shown;
    // What hls.js leaves out, because the browser cannot play it, is no reason to begin anew for ever.
    if (!grew || this.#grownTo === variants.length) return;
    this.#grownTo = variants.length;
    this.#acts.renew();
  }

  /** Holds what the server says against what is seen. */
  #compare(channel: ChannelFacts): void {
    this.#prefer(channel);
    const phase = this.#phase;
    const on = channel.state !== 'offline';
    this.#fallback.fallIfOffered();
    const carrier = this.#playing.carrier();
    if (phase === 'offline' && on) this.#acts.join();
    else if (phase === 'ended' && on && channel.startedAt !== this.#endedStream) this.#acts.joinAnew();
    else if (phase === 'barred') {
      if (!on) this.#acts.gone();
      else if (isLetIn(channel)) this.#acts.admit();
    } else if (phase === 'connecting' && carrier === null && !this.#isBusy) {
      if (!on) this.#acts.gone();
      else if (!this.#fallback.isFalling && this.#acts.joinable() !== null) this.#acts.join();
    } else if (carrier && this.#playing.silentFor() > SILENCE_MS) {
      if (channel.state === 'reconnecting') this.#playing.setPhase({ name: 'host_reconnecting' });
      else if (channel.state === 'offline') this.#acts.gone();
      else if (carrier instanceof Delayed && this.#playing.silentFor() > STUCK_MS)
        this.#acts.reconnect('The stream stopped arriving.');
    }
  }

  /** Once a stream: the fastest way is joined by first, because nothing is known of the channel then. */
  #prefer(channel: ChannelFacts): void {
    const { choice, rewound, paused } = this.#playing.store.get();
    const wished = this.#fallback.wished;
    if (this.#preferred || choice !== 'auto' || wished === 'webrtc' || this.#isBusy) return;
    if (!(this.#playing.carrier() instanceof Instant) || this.#phase !== 'live' || rewound || paused) return;
    if (channel.hls?.state !== 'ready') return;
    this.#preferred = true;
    this.#fallback.leaveInstant(wished);
  }
}

const SILENCE_MS = 2500;
const STUCK_MS = 12_000;
const VARIANTS_EVERY = 15;
