/**
 * Which transport carries the stream: falls from one that does not work, climbs back to it, and changes
 * the pace of a buffer. Whatever happens is told in the store, and to the server.
 */
import { Ascent } from './ascent';
import type { Carrier } from './carrier';
import { type HlsOffer, offered } from './channel';
import { Delayed } from './delayed';
import { Instant } from './instant';
import type { Phase } from './phase';
import type { Playing } from './playing';
import type { PlayerStats } from './stats';
import {
  type Change,
  type ChangeReason,
  isFaster,
  reasonWords,
  reportChange,
  type Transport,
  wishedTransport,
} from './transport';
import { LossWatch } from './trouble';

export class Fallback {
  readonly ascent = new Ascent();
  readonly loss = new LossWatch();
  readonly #playing: Playing;
  /** A fall that waits until HLS is offered. */
  #falling: { reason: ChangeReason; why: 'hedge' | 'fall'; armed: boolean } | null = null;
  #paceAt = Number.POSITIVE_INFINITY;

  constructor(playing: Playing) {
    this.#playing = playing;
  }

  get isFalling(): boolean {
    return this.#falling !== null;
  }

  /** What the viewer wishes for, or what had to take its place. */
  get wished(): Transport {
    return this.ascent.fallen ?? this.#wish;
  }

  get #wish(): Transport {
    const { choice, channel } = this.#playing.store.get();
    return wishedTransport(choice, channel?.said?.latency);
  }

  get slower(): Transport {
    const wished = this.#wish;
    return wished === 'webrtc' ? 'll_hls' : wished;
  }

  /** Gets HLS ready; `fall` when nothing else will do, `hedge` in case. */
  fall(reason: ChangeReason, why: 'hedge' | 'fall'): void {
    const { backstage } = this.#playing;
    if (backstage.why !== null && backstage.why !== 'climb') {
      if (why === 'fall') backstage.arm({ why, reason });
      return;
    }
    // The first doubt is the cause, later ones follow from it.
    const first = why === 'hedge' ? this.#falling : null;
    this.#falling = first ?? { reason, why, armed: why === 'fall' };
    this.fallIfOffered();
  }

  /** Called with every news of the channel. */
  fallIfOffered(): void {
    const { backstage, store } = this.#playing;
    const falling = this.#falling;
    if (!falling || (backstage.why !== null && backstage.why !== 'climb')) return;
    const { channel } = store.get();
    if (!offered(channel)) {
      if (falling.why === 'fall' && channel?.hls?.state === 'preparing') this.#softenRefusal();
      return;
    }
    backstage.open({ ...falling, carrier: this.#playing.make(this.slower, null) });
    if (falling.why === 'fall') this.#softenRefusal();
  }

  /** It is as good as lost: whichever plays first is taken. */
  arm(): void {
    if (this.#falling) this.#falling.armed = true;
    if (this.#playing.backstage.why === 'hedge') this.#playing.backstage.arm();
  }

  /** A picture came: doubts are forgotten. */
  calm(): void {
    if (this.#playing.backstage.why === 'hedge') this.dropNext();
    if (this.#falling?.why === 'hedge') this.#falling = null;
  }

  /** It is not waited for any more. */
  forgetFall(): void {
    this.#falling = null;
  }

  dropNext(): void {
    this.#playing.backstage.drop();
    this.#playing.store.set({ climbing: false });
  }

  climb(byViewer: boolean): void {
    if (typeof RTCPeerConnection === 'undefined') return;
    const reason = byViewer ? 'chosen' : 'recovered';
    this.#playing.backstage.open({
      carrier: this.#playing.make('webrtc', null),
      why: 'climb',
      reason,
      armed: byViewer,
      byViewer,
    });
  }

  /** Called once a second. */
  climbIfDue(): void {
    const { store, backstage } = this.#playing;
    const carrier = this.#playing.carrier();
    const { rewound, paused, phase } = store.get();
    const busy = backstage.why !== null || this.isFalling || rewound || paused || isHidden();
    if (!(carrier instanceof Delayed) || busy || phase.name !== 'live') return;
    const now = performance.now();
    const wishesInstant = this.#wish === 'webrtc';
    if (wishesInstant && this.ascent.isDue(now)) this.climb(false);
    else if (carrier.transport === 'hls' && this.#wish !== 'hls' && now > this.#paceAt) {
      this.#paceAt = Number.POSITIVE_INFINITY;
      this.ascent.fallen = wishesInstant ? 'll_hls' : null;
      this.setPace(carrier, 'll_hls', 'recovered');
    }
  }

  /** From a buffer to the transport that is wished for. */
  toWished(carrier: Delayed): void {
    const { wished } = this;
    if (wished === 'webrtc') this.climb(true);
    else if (wished !== carrier.transport) this.setPace(carrier, wished, 'chosen');
  }

  leaveInstant(to: Transport): void {
    const { store, backstage } = this.#playing;
    const hls = store.get().channel?.hls ?? null;
    if (hls?.state !== 'ready') {
      this.tellUnavailable(hls);
      return;
    }
    backstage.open({ carrier: this.#playing.make(to, null), why: 'fall', reason: 'chosen', armed: true });
  }

  tellUnavailable(hls: HlsOffer | null): void {
    const words = hls?.reason ?? 'This stream is sent directly only.';
    this.#playing.store.set({ notice: { transport: 'webrtc', words, at: Date.now() } });
  }

  setPace(carrier: Delayed, to: Transport, reason: ChangeReason): void {
    const { store } = this.#playing;
    const from = carrier.transport;
    carrier.setPace(to === 'hls' ? 'stable' : 'low', !store.get().rewound);
    store.set({ transport: carrier.transport });
    this.note(from, carrier.transport, reason);
  }

  /** Tells a change to the viewer and to the server. */
  note(from: Transport, to: Transport, reason: ChangeReason): void {
    if (from === to) return;
    const { handle, server, store } = this.#playing;
    const change: Change = { at: Date.now(), from, to, reason, words: reasonWords(reason) };
    const { changes } = store.get();
    const forced = reason !== 'chosen' && reason !== 'rewound' && isFaster(this.#wish, to);
    store.set({
      changes: [...changes.slice(-MAX_CHANGES), change],
      notice: forced ? { transport: to, words: change.words, at: change.at } : null,
    });
    // Of other sites' pages the server takes no reports.
    if (server === '') reportChange(handle, change);
  }

  /** Called with every sample. */
  judge(carrier: Carrier, stats: PlayerStats): void {
    if (carrier instanceof Delayed) this.#judgeDelayed(carrier);
    else if (carrier instanceof Instant) this.#judgeInstant(carrier, stats);
  }

  #judgeInstant(carrier: Instant, stats: PlayerStats): void {
    const { paused, phase, channel } = this.#playing.store.get();
    const offer = offered(channel);
    if (phase.name === 'connecting' && carrier.connected && offer) {
      const silent = this.#playing.silentFor();
      if (silent > NO_PICTURE_LATE_MS) this.arm();
      else if (silent > NO_PICTURE_MS) this.fall('stalled', 'hedge');
    }
    if (phase.name !== 'live' || paused || isHidden()) this.loss.forget();
    else if (this.loss.take(stats) && offer) this.fall('loss', 'fall');
  }

  #judgeDelayed(carrier: Delayed): void {
    const now = performance.now();
    const { phase } = this.#playing.store.get();
    if (carrier.transport !== 'll_hls' || !carrier.stalls.isBad(now) || phase.name !== 'live') return;
    this.ascent.fell('hls', now);
    this.#paceAt = now + CALM_MS;
    this.setPace(carrier, 'hls', 'stalled');
  }

  /** A refusal is not the last word while there is another way. */
  #softenRefusal(): void {
    const { store } = this.#playing;
    if (REFUSALS.has(store.get().phase.name))
      this.#playing.setPhase({ name: 'connecting', since: Date.now() });
  }
}

function isHidden(): boolean {
  return typeof document !== 'undefined' && document.hidden;
}

const REFUSALS = new Set<Phase['name']>(['server_full', 'unsupported', 'failed', 'reconnecting']);
/** Connected, and a picture would have come by now. */
const NO_PICTURE_MS = 4000;
const NO_PICTURE_LATE_MS = 6000;
/** Without a stall for so long, the smaller buffer may do again. */
const CALM_MS = 120_000;
const MAX_CHANGES = 49;
