/**
 * The watch page's state machine: plays a channel by the fastest transport that works, changes between
 * them in the open, and says in one store what a person sees. Owns what plays, what gets ready behind
 * it, the retry timer and the polling of a channel that is not live.
 *
 * Invariants: every event names its carrier, and one that is no longer ours is not heard; what gets
 * ready takes over only when it plays.
 */
import { SignallingError } from '../session/signalling';
import { Store } from '../store';
import { Ascent } from './ascent';
import { Backstage, type Next } from './backstage';
import type { Carrier, CarrierEvent } from './carrier';
import { type ChannelFacts, fetchChannel, type HlsOffer } from './channel';
import { Delayed } from './delayed';
import { fetchHls } from './hls_js';
import { Instant } from './instant';
import { type Phase, phaseAfter, retryDelay } from './phase';
import type { Start } from './playback';
import { SOUND, type Wish, wishFor } from './quality';
import { Screen, type ScreenState } from './screen';
import { initialState, type PlayerState } from './state';
import type { PlayerStats } from './stats';
import type { Timeline } from './timeline';
import {
  type Change,
  type ChangeReason,
  type Choice,
  isFaster,
  reasonWords,
  rememberChoice,
  reportChange,
  type Transport,
  wishedTransport,
} from './transport';
import { LossWatch } from './trouble';
import { fetchVariants } from './variants';

export class Player {
  readonly handle: string;
  readonly store: Store<PlayerState>;
  readonly screen: Screen;

  #carrier: Carrier | null = null;
  readonly #backstage: Backstage;
  readonly #ascent = new Ascent();
  readonly #loss = new LossWatch();
  /** A fall that waits until HLS is offered. */
  #falling: { reason: ChangeReason; why: 'hedge' | 'fall'; armed: boolean } | null = null;
  /** The quality that the viewer wants, kept across sessions and while the host does not send it. */
  #wish: Wish | null = null;
  #attempt = 0;
  #wasLive = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #tick: ReturnType<typeof setInterval> | undefined;
  #ticks = 0;
  #startedAt = 0;
  #mediaAt = 0;
  #endedStream: string | null = null;
  /** Since when, and at what moment of the stream, the picture stands still by the viewer's will. */
  #pausedAt: { at: number; wallMs: number; parked?: boolean } | null = null;
  #seekingTo: number | null = null;
  #paceAt = Number.POSITIVE_INFINITY;
  /** The list of renditions as last seen, and how many playback was begun anew for. */
  #variants: string[] | null = null;
  #grownTo = 0;
  /** Where to go on when playback of the past breaks. */
  #resume: { transport: Transport; wallMs: number } | null = null;

  constructor(handle: string) {
    this.handle = handle;
    this.store = new Store(initialState());
    this.screen = new Screen(this.store as unknown as Store<ScreenState>);
    this.#backstage = new Backstage(this.screen, {
      ready: (next) => this.#promote(next),
      failed: (next) => this.#nextFailed(next),
    });
  }

  /** Joins at once; a second call does nothing. */
  start(): void {
    if (this.#tick !== undefined) return;
    this.#tick = setInterval(() => void this.#everySecond(), 1000);
    addEventListener('online', this.#online);
    addEventListener('pagehide', this.#leave);
    addEventListener('pageshow', this.#comeBack);
    this.#join();
    void this.#askChannel();
  }

  stop(): void {
    clearInterval(this.#tick);
    this.#tick = undefined;
    removeEventListener('online', this.#online);
    removeEventListener('pagehide', this.#leave);
    removeEventListener('pageshow', this.#comeBack);
    this.#drop();
  }

  /** "Try now". */
  retryNow(): void {
    this.#attempt = 0;
    this.#join();
  }

  /** Pins a quality for this and later sessions; `null` leaves it to the transport. */
  async chooseQuality(id: string | null): Promise<void> {
    const carrier = this.#carrier;
    const before = this.#wish;
    const quality = carrier?.qualities.find((each) => each.id === id) ?? null;
    this.#wish = quality && wishFor(quality);
    if (!carrier) return;
    if ((id === SOUND) !== (carrier.pinned === SOUND)) {
      this.#renew();
      return;
    }
    const wish = this.#wish;
    const accepted = await carrier.choose(wish);
    // Refused: it stays as it was.
    if (!accepted && this.#wish === wish) this.#wish = before;
  }

  /** Chooses a transport for this and later visits. */
  chooseLatency(choice: Choice): void {
    rememberChoice(choice);
    this.#ascent.forget();
    this.#dropNext();
    this.store.set({ choice, notice: null });
    const carrier = this.#carrier;
    if (!carrier || this.#phase !== 'live') {
      this.retryNow();
      return;
    }
    const wished = wishedTransport(choice);
    if (wished === carrier.transport || this.store.get().rewound) return;
    if (wished === 'webrtc') this.backToInstant();
    else if (carrier instanceof Delayed) this.#setPace(wished, 'chosen');
    else this.#leaveInstant(wished);
  }

  /** Tries the direct connection now. */
  backToInstant(): void {
    if (this.#backstage.why === 'climb') this.#backstage.arm({ byViewer: true, reason: 'chosen' });
    else this.#climb(true);
    this.store.set({ climbing: this.#backstage.why !== null });
  }

  dismissNotice(): void {
    this.store.set({ notice: null });
  }

  togglePlay(): void {
    if (this.screen.paused) this.play();
    else this.pause();
  }

  pause(): void {
    this.#notePause();
    this.screen.pause();
  }

  /** Goes on: at the live edge after a moment, where it stood after longer. */
  play(): void {
    const paused = this.#pausedAt;
    this.#pausedAt = null;
    const long = paused !== null && performance.now() - paused.at > SHORT_PAUSE_MS;
    if (paused && long && this.#carrier instanceof Instant && this.#offer) {
      this.#goTo(paused.wallMs, false);
      return;
    }
    if (long && this.#carrier instanceof Delayed) this.store.set({ rewound: true });
    void this.screen.play();
  }

  /** Goes to what happened at this time; a picture that stands still does so there. */
  seekTo(wallMs: number): void {
    this.#goTo(wallMs, this.screen.paused);
  }

  #goTo(wallMs: number, still: boolean): void {
    const { timeline } = this.store.get();
    if (!timeline) return;
    const target = Math.max(wallMs, timeline.startMs);
    if (target > timeline.endMs - LIVE_EDGE_MS) {
      this.goLive();
      return;
    }
    this.store.set({ timeline: { ...timeline, positionMs: target } });
    this.#pausedAt = still ? { at: performance.now(), wallMs: target } : null;
    if (this.#carrier instanceof Delayed) {
      this.#dropNext();
      this.#carrier.seek(target);
      this.store.set({ rewound: true });
      if (!still) void this.screen.play();
    } else {
      this.#openPast(target, still);
    }
  }

  seekBy(seconds: number): void {
    const { timeline } = this.store.get();
    if (timeline) this.seekTo((this.#seekingTo ?? timeline.positionMs) + seconds * 1000);
  }

  /** Back to what happens now, by the transport that was left for the past. */
  goLive(): void {
    this.#pausedAt = null;
    if (this.#backstage.why === 'seek') this.#dropNext();
    this.store.set({ rewound: false });
    if (this.#carrier instanceof Delayed) {
      this.#carrier.toLiveEdge();
      const wished = this.#ascent.fallen ?? wishedTransport(this.store.get().choice);
      if (wished === 'webrtc') this.#climb(true);
      else if (wished !== this.#carrier.transport) this.#setPace(wished, 'chosen');
    }
    void this.screen.play();
  }

  /** Something gets ready behind the picture. */
  get #isBusy(): boolean {
    return this.#backstage.why !== null;
  }

  get #phase(): Phase['name'] {
    return this.store.get().phase.name;
  }

  get #wishesInstant(): boolean {
    return wishedTransport(this.store.get().choice) === 'webrtc';
  }

  /** HLS, when there is something to play. */
  get #offer(): HlsOffer | null {
    const hls = this.store.get().channel?.hls ?? null;
    return hls?.state === 'ready' ? hls : null;
  }

  #setPhase(phase: Phase): void {
    const now = this.store.get().phase;
    if (phase.name === now.name && !('reason' in phase) && !('retryAt' in phase)) return;
    this.store.set({ phase });
  }

  #join(): void {
    this.#closeCarrier();
    clearTimeout(this.#retry);
    const now = this.store.get().phase;
    if (now.name === 'reconnecting') this.#setPhase({ ...now, retryAt: null });
    else this.#setPhase({ name: 'connecting', since: Date.now() });
    this.#startedAt = performance.now();
    this.#mediaAt = this.#startedAt;
    const resume = this.#resume;
    this.#resume = null;
    const transport = resume?.transport ?? this.#joinable();
    if (transport === null) {
      fetchHls();
      return;
    }
    this.store.set({ rewound: resume !== null });
    if (transport === 'webrtc' && typeof RTCPeerConnection === 'undefined') {
      this.store.set({ transport });
      this.#setPhase({ name: 'unsupported', reason: reasonWords('unsupported') });
      this.#fall('unsupported', 'fall');
      return;
    }
    const carrier = this.#make(transport, resume && { wallMs: resume.wallMs });
    this.#show(carrier);
    this.screen.show(carrier.picture, () => this.#heard(carrier, { name: 'flows' }));
    carrier.open();
  }

  /** What to join by; `null` while it is not known yet. */
  #joinable(): Transport | null {
    const { channel, choice } = this.store.get();
    const wished = this.#ascent.fallen ?? wishedTransport(choice);
    if (wished === 'webrtc') return wished;
    if (!channel || channel.hls?.state === 'preparing') return null;
    if (channel.hls?.state === 'ready') return wished;
    this.#tellUnavailable(channel.hls);
    return 'webrtc';
  }

  #make(transport: Transport, at: Start): Carrier {
    const tell = (carrier: Carrier, event: CarrierEvent) => this.#heard(carrier, event);
    if (transport === 'webrtc') return new Instant(this.handle, { wish: this.#wish, tell });
    const url = this.store.get().channel?.hls?.url ?? `/hls/${encodeURIComponent(this.handle)}/index.m3u8`;
    const pace = transport === 'll_hls' ? 'low' : 'stable';
    return new Delayed({ url, pace, at, wish: this.#wish, tell });
  }

  #show(carrier: Carrier): void {
    this.#carrier = carrier;
    this.#variants = null;
    this.#loss.forget();
    this.store.set({
      transport: carrier.transport,
      qualities: carrier.qualities,
      pinned: carrier.pinned,
      stats: null,
    });
  }

  #heard(carrier: Carrier, event: CarrierEvent): void {
    this.#backstage.heard(carrier, event);
    if (carrier !== this.#carrier) return;
    switch (event.name) {
      case 'flows':
        this.#picture();
        break;
      case 'connected':
        if (this.#phase === 'reconnecting' && this.#wasLive)
          this.#setPhase({ name: 'connecting', since: Date.now() });
        break;
      case 'doubtful':
        this.#fall(event.reason, 'hedge');
        break;
      case 'late':
        this.#arm();
        break;
      case 'restarting':
        this.#setPhase({ name: 'reconnecting', reason: 'Your connection dropped.', retryAt: null });
        break;
      case 'lost':
        this.#lost(carrier, event.reason, event.words);
        break;
      case 'refused':
        this.#refused(event.error);
        break;
      case 'never_connected':
        this.#neverConnected();
        break;
      case 'publisher':
        this.#publisher(event.active);
        break;
      case 'viewers':
        this.store.set({ viewers: event.count });
        break;
      case 'qualities':
        this.store.set({ qualities: carrier.qualities, pinned: carrier.pinned });
        break;
      case 'ended':
        this.#ended();
        break;
      case 'moved':
        this.#reconnect('The server asks viewers to connect again.');
    }
  }

  /** Puts in front what is ready. */
  #promote(next: Next): void {
    const before = this.#carrier;
    const from = before?.transport ?? this.store.get().transport;
    this.#falling = null;
    clearTimeout(this.#retry);
    this.screen.commit();
    before?.close();
    this.#show(next.carrier);
    const to = next.carrier.transport;
    if (to === 'webrtc') this.#ascent.climbed(performance.now());
    else if (next.why === 'hedge' || (next.why === 'fall' && next.reason !== 'chosen'))
      this.#ascent.fell(to, performance.now());
    this.#seekingTo = null;
    this.store.set({ climbing: false, ...(next.why === 'seek' ? { rewound: true } : {}) });
    if (from && next.reason) this.#note(from, to, next.reason);
    this.#picture();
  }

  #note(from: Transport, to: Transport, reason: ChangeReason): void {
    if (from === to) return;
    const change: Change = { at: Date.now(), from, to, reason, words: reasonWords(reason) };
    const { changes, choice } = this.store.get();
    const forced = reason !== 'chosen' && reason !== 'rewound' && isFaster(wishedTransport(choice), to);
    this.store.set({
      changes: [...changes.slice(-MAX_CHANGES), change],
      notice: forced ? { transport: to, words: change.words, at: change.at } : null,
    });
    reportChange(this.handle, change);
  }

  #nextFailed(next: Next): void {
    const { notice } = this.store.get();
    const playing = this.#carrier?.transport;
    if (next.why === 'climb' && playing) {
      if (this.#ascent.fallen === null) this.#ascent.fell(playing, performance.now());
      else this.#ascent.failed(performance.now());
      const words = notice ? STILL_SLOWER : reasonWords('blocked');
      if (next.byViewer) this.store.set({ notice: { transport: playing, words, at: Date.now() } });
    }
    if (next.why === 'fall' || next.why === 'hedge') this.#falling = null;
    this.#seekingTo = null;
    this.store.set({ climbing: false });
    if (next.why === 'seek' && !next.still) void this.screen.play();
  }

  #dropNext(): void {
    this.#backstage.drop();
    this.#seekingTo = null;
    this.store.set({ climbing: false });
  }

  /** Gets HLS ready; `fall` when nothing else will do, `hedge` in case. */
  #fall(reason: ChangeReason, why: 'hedge' | 'fall'): void {
    if (this.#isBusy && this.#backstage.why !== 'climb') {
      if (why === 'fall') this.#backstage.arm({ why, reason });
      return;
    }
    // The first doubt is the cause, later ones follow from it.
    const first = why === 'hedge' ? this.#falling : null;
    this.#falling = first ?? { reason, why, armed: why === 'fall' };
    this.#fallIfOffered();
  }

  #fallIfOffered(): void {
    const falling = this.#falling;
    if (!falling || (this.#isBusy && this.#backstage.why !== 'climb')) return;
    if (!this.#offer) {
      if (falling.why === 'fall' && this.store.get().channel?.hls?.state === 'preparing')
        this.#softenRefusal();
      return;
    }
    this.#backstage.open({ ...falling, carrier: this.#make(this.#slower, null) });
    if (falling.why === 'fall') this.#softenRefusal();
  }

  /** A refusal is not the last word while there is another way. */
  #softenRefusal(): void {
    if (REFUSALS.has(this.#phase)) this.#setPhase({ name: 'connecting', since: Date.now() });
  }

  get #slower(): Transport {
    const wished = wishedTransport(this.store.get().choice);
    return wished === 'webrtc' ? 'll_hls' : wished;
  }

  #arm(): void {
    if (this.#falling) this.#falling.armed = true;
    if (this.#backstage.why === 'hedge') this.#backstage.arm();
  }

  #leaveInstant(to: Transport): void {
    const hls = this.store.get().channel?.hls ?? null;
    if (hls?.state !== 'ready') {
      this.#tellUnavailable(hls);
      return;
    }
    this.#backstage.open({ carrier: this.#make(to, null), why: 'fall', reason: 'chosen', armed: true });
  }

  #tellUnavailable(hls: HlsOffer | null): void {
    const words = hls?.reason ?? 'This stream is sent directly only.';
    this.store.set({ notice: { transport: 'webrtc', words, at: Date.now() } });
  }

  #climb(byViewer: boolean): void {
    this.#seekingTo = null;
    if (typeof RTCPeerConnection === 'undefined') return;
    const reason = byViewer ? 'chosen' : 'recovered';
    this.#backstage.open({
      carrier: this.#make('webrtc', null),
      why: 'climb',
      reason,
      armed: byViewer,
      byViewer,
    });
  }

  #openPast(wallMs: number, still: boolean): void {
    if (!this.#offer) return;
    const carrier = this.#make(this.#slower, { wallMs });
    this.#backstage.open({ carrier, why: 'seek', reason: 'rewound', armed: true, still });
    this.#seekingTo = wallMs;
  }

  /** The same transport at the same place, from the start. */
  #renew(): void {
    const carrier = this.#carrier;
    if (!carrier) return;
    const { rewound, timeline } = this.store.get();
    const at = rewound && timeline ? { wallMs: timeline.positionMs } : null;
    this.#backstage.open({
      carrier: this.#make(carrier.transport, at),
      why: 'renew',
      reason: null,
      armed: true,
      still: this.screen.paused,
    });
  }

  #setPace(to: Transport, reason: ChangeReason): void {
    const carrier = this.#carrier;
    if (!(carrier instanceof Delayed)) return;
    const from = carrier.transport;
    carrier.setPace(to === 'hls' ? 'stable' : 'low', !this.store.get().rewound);
    this.store.set({ transport: carrier.transport });
    this.#note(from, carrier.transport, reason);
  }

  #refused(error: unknown): void {
    this.#closeCarrier();
    const phase = phaseAfter(error, Date.now(), this.#attempt, this.#wasLive);
    if (phase.name === 'ended') this.#endedStream = this.store.get().channel?.startedAt ?? null;
    this.#setPhase(phase);
    if ('retryAt' in phase && phase.retryAt !== null) this.#retryAt(phase.retryAt);
    if (phase.name === 'offline' || phase.name === 'ended') {
      this.#dropNext();
      void this.#askChannel();
    } else if (phase.name === 'server_full') this.#fall('server_full', 'fall');
    else if (phase.name === 'unsupported') this.#fall('codec', 'fall');
    // Who may not watch may not watch by HLS either.
    else if (phase.name === 'failed' && !isForbidden(error)) this.#fall('codec', 'fall');
  }

  #lost(carrier: Carrier, reason: ChangeReason | null, words: string): void {
    const { rewound, timeline } = this.store.get();
    if (carrier instanceof Instant && reason) {
      this.#fall(reason, 'hedge');
      this.#arm();
    } else if (reason === 'codec' || reason === 'unsupported') {
      this.#closeCarrier();
      this.#ascent.forget();
      if (wishedTransport(this.store.get().choice) !== 'webrtc' || this.#attempt > 0) {
        this.#setPhase({ name: 'unsupported', reason: words });
        return;
      }
    } else if (this.#attempt >= 2) {
      // What was given up may work by now; what plays does not.
      this.#ascent.forget();
    } else if (rewound && timeline) {
      this.#resume = { transport: carrier.transport, wallMs: timeline.positionMs };
    }
    this.#reconnect(words);
  }

  #reconnect(reason: string): void {
    this.#closeCarrier();
    const retryAt = Date.now() + (this.#attempt === 0 ? 0 : retryDelay(this.#attempt - 1));
    this.#setPhase({ name: 'reconnecting', reason, retryAt });
    this.#retryAt(retryAt);
  }

  #neverConnected(): void {
    this.#fall('blocked', 'hedge');
    this.#arm();
    // What was ready may have taken its place.
    if (this.#carrier instanceof Delayed) return;
    this.#closeCarrier();
    if (this.#attempt < 2) {
      this.#reconnect('The media connection could not be made.');
      return;
    }
    const instead = this.store.get().channel?.hls?.reason;
    const reason = instead ? `${BLOCKED} There is no other way for this stream: ${instead}` : BLOCKED;
    this.#setPhase({ name: 'failed', reason });
  }

  #retryAt(at: number): void {
    this.#attempt += 1;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#join(), Math.max(0, at - Date.now()));
  }

  #picture(): void {
    this.#mediaAt = performance.now();
    if (this.#backstage.why === 'hedge') this.#dropNext();
    if (this.#falling?.why === 'hedge') this.#falling = null;
    if (this.#phase === 'live') return;
    if (!this.#wasLive) this.store.set({ joinMs: performance.now() - this.#startedAt });
    this.#attempt = 0;
    this.#wasLive = true;
    this.#setPhase({ name: 'live' });
    void this.#askChannel();
  }

  #publisher(active: boolean): void {
    this.#loss.forget();
    if (!active && (this.#phase === 'live' || this.#phase === 'connecting')) {
      this.#setPhase({ name: 'host_reconnecting' });
    }
    // Back on air is shown by pictures, not by the announcement of them.
  }

  /** No `ended` was heard, and yet it is over. */
  #gone(): void {
    if (this.#wasLive) this.#ended();
    else if (this.#phase === 'host_reconnecting' || (this.#phase === 'connecting' && !this.#joinsDirectly)) {
      this.#drop();
      this.#setPhase({ name: 'offline' });
    }
  }

  /** Its answer says by itself that there is nothing. */
  get #joinsDirectly(): boolean {
    return this.#carrier instanceof Instant;
  }

  #ended(): void {
    this.#endedStream = this.store.get().channel?.startedAt ?? null;
    this.#drop();
    this.#wasLive = true;
    this.store.set({ viewers: null });
    this.#setPhase({ name: 'ended' });
    void this.#askChannel();
  }

  async #everySecond(): Promise<void> {
    this.#ticks += 1;
    const carrier = this.#carrier;
    if (carrier) {
      const stats = await carrier.sample();
      if (stats && carrier === this.#carrier) this.#sampled(carrier, stats);
    }
    await this.#backstage.look();
    this.#watchPause();
    this.#climbIfDue();
    if (this.#ticks % VARIANTS_EVERY === 0) await this.#lookForVariants();
    if (this.#ticks % this.#askEvery === 0 && this.#phase !== 'not_found') await this.#askChannel();
  }

  /** Seconds between questions for the channel. */
  get #askEvery(): number {
    const hls = this.store.get().channel?.hls;
    const comes = this.#falling !== null && (!this.store.get().channel || hls?.state === 'preparing');
    if (comes || (this.#carrier === null && this.#phase === 'connecting')) return 1;
    const waiting = this.#phase === 'offline' || this.#phase === 'ended';
    const doubtful =
      this.#phase === 'host_reconnecting' || (this.#carrier !== null && this.#silentFor() > SILENCE_MS);
    if (waiting || doubtful) return 2;
    // Without a direct connection nobody tells how many watch.
    return this.#carrier instanceof Delayed ? 5 : 15;
  }

  #sampled(carrier: Carrier, stats: PlayerStats): void {
    this.store.set({ stats, latencyMs: stats.latencyMs, timeline: this.#timeline(carrier, stats) });
    if (carrier instanceof Delayed) this.#judgeDelayed(carrier, stats);
    else if (carrier instanceof Instant) this.#judgeInstant(carrier, stats);
    if (this.#phase === 'connecting' && this.#silentFor() > STUCK_MS) {
      this.#reconnect('The connection stands, but no picture arrives.');
    }
  }

  #judgeInstant(carrier: Instant, stats: PlayerStats): void {
    const { paused, phase } = this.store.get();
    if (phase.name === 'connecting' && carrier.connected && this.#offer) {
      if (this.#silentFor() > NO_PICTURE_LATE_MS) this.#arm();
      else if (this.#silentFor() > NO_PICTURE_MS) this.#fall('stalled', 'hedge');
    }
    if (phase.name !== 'live' || paused || isHidden()) this.#loss.forget();
    else if (this.#loss.take(stats) && this.#offer) this.#fall('loss', 'fall');
  }

  #judgeDelayed(carrier: Delayed, { latencyMs }: PlayerStats): void {
    const now = performance.now();
    const { paused, rewound } = this.store.get();
    if (paused) {
      this.#mediaAt = now;
      return;
    }
    if (carrier.transport === 'll_hls' && carrier.stalls.isBad(now) && this.#phase === 'live') {
      this.#ascent.fell('hls', now);
      this.#paceAt = now + CALM_MS;
      this.#setPace('hls', 'stalled');
    }
    if (latencyMs === null) return;
    const live = carrier.transport === 'll_hls' ? NEAR_LIVE_MS : NEAR_LIVE_STABLE_MS;
    if (rewound && latencyMs < live) this.goLive();
    // Playback that stalled stays behind for ever unless it jumps.
    else if (!rewound && latencyMs > live + DRIFT_MS && now - this.#mediaAt < JUST_NOW_MS)
      carrier.toLiveEdge();
  }

  #climbIfDue(): void {
    const carrier = this.#carrier;
    const { rewound, paused } = this.store.get();
    const busy = this.#isBusy || this.#falling !== null || rewound || paused || isHidden();
    if (!(carrier instanceof Delayed) || busy || this.#phase !== 'live') return;
    const now = performance.now();
    if (this.#wishesInstant && this.#ascent.isDue(now)) this.#climb(false);
    else if (carrier.transport === 'hls' && this.store.get().choice !== 'stable' && now > this.#paceAt) {
      this.#paceAt = Number.POSITIVE_INFINITY;
      this.#ascent.fallen = this.#wishesInstant ? 'll_hls' : null;
      this.#setPace('ll_hls', 'recovered');
    }
  }

  #timeline(carrier: Carrier, stats: PlayerStats): Timeline | null {
    const { channel } = this.store.get();
    const started = Date.parse(channel?.startedAt ?? '');
    if (carrier instanceof Delayed) {
      const timeline = carrier.timeline();
      return timeline && { ...timeline, positionMs: this.#seekingTo ?? timeline.positionMs };
    }
    const offer = this.#offer;
    if (!offer || Number.isNaN(started)) return null;
    const endMs = this.#now();
    const startMs = Math.max(started, endMs - offer.windowMs);
    const shown = this.#pausedAt?.wallMs ?? endMs - (stats.latencyMs ?? 0);
    return { startMs, endMs, positionMs: Math.max(startMs, this.#seekingTo ?? shown) };
  }

  #notePause(): void {
    const { latencyMs, timeline } = this.store.get();
    const wallMs = this.#carrier instanceof Delayed ? timeline?.positionMs : undefined;
    this.#pausedAt ??= { at: performance.now(), wallMs: wallMs ?? this.#now() - (latencyMs ?? 0) };
  }

  /** The keys of a headset pause the element itself. And whoever pauses for long needs no connection. */
  #watchPause(): void {
    const { paused, needsTap } = this.store.get();
    if (!paused || needsTap || this.#phase !== 'live') {
      if (!paused) this.#pausedAt = null;
      return;
    }
    this.#notePause();
    const since = this.#pausedAt;
    if (!since || this.#isBusy || !(this.#carrier instanceof Instant) || !this.#offer) return;
    if (since.parked || performance.now() - since.at < PARK_MS) return;
    since.parked = true;
    this.#openPast(since.wallMs, true);
  }

  /** The layers of a simulcast come up one after another: a player reads their list once. */
  async #lookForVariants(): Promise<void> {
    const carrier = this.#carrier;
    const offer = this.#offer;
    if (!(carrier instanceof Delayed) || !offer || this.#isBusy || this.#phase !== 'live') return;
    if (carrier.pinned === SOUND || this.store.get().paused) return;
    const variants = await fetchVariants(offer.url);
    if (variants === null || carrier !== this.#carrier || this.#isBusy) return;
    const known = this.#variants;
    this.#variants = variants;
    const shown = carrier.qualities.length - 1;
    const grew = known
      ? variants.some((variant) => !known.includes(variant))
      : shown > 0 && variants.length > shown;
    // What hls.js leaves out, because the browser cannot play it, is no reason to begin anew for ever.
    if (!grew || this.#grownTo === variants.length) return;
    this.#grownTo = variants.length;
    this.#renew();
  }

  /** By the server's clock, which the times of a stream are told in. */
  #now(): number {
    return Date.now() + (this.store.get().channel?.clockAheadMs ?? 0);
  }

  #silentFor(): number {
    return performance.now() - this.#mediaAt;
  }

  async #askChannel(): Promise<void> {
    const channel = await fetchChannel(this.handle);
    if (channel === null || this.#tick === undefined) return;
    if (channel === 'missing') {
      this.#drop();
      this.#setPhase({ name: 'not_found' });
      return;
    }
    const { viewers } = this.store.get();
    const told = this.#carrier instanceof Instant && this.#phase === 'live' && viewers !== null;
    this.store.set({ channel, ...(told ? {} : { viewers: channel.viewers }) });
    this.#compare(channel);
  }

  /** Holds what the server says against what is seen. */
  #compare(channel: ChannelFacts): void {
    const phase = this.#phase;
    const on = channel.state !== 'offline';
    this.#fallIfOffered();
    if (phase === 'offline' && on) this.#join();
    else if (phase === 'ended' && on && channel.startedAt !== this.#endedStream) {
      this.#wasLive = false;
      this.#ascent.forget();
      this.#join();
    } else if (phase === 'connecting' && this.#carrier === null && !this.#isBusy) {
      if (!on) this.#gone();
      else if (this.#falling === null && this.#joinable() !== null) this.#join();
    } else if (this.#carrier && this.#silentFor() > SILENCE_MS) {
      if (channel.state === 'reconnecting') this.#setPhase({ name: 'host_reconnecting' });
      else if (channel.state === 'offline') this.#gone();
      else if (this.#carrier instanceof Delayed && this.#silentFor() > STUCK_MS)
        this.#reconnect('The stream stopped arriving.');
    }
  }

  #closeCarrier(): void {
    clearTimeout(this.#retry);
    this.#carrier?.close();
    this.#carrier = null;
    this.store.set({ stats: null, latencyMs: null, timeline: null, qualities: [], pinned: null });
  }

  #drop(): void {
    this.#falling = null;
    this.#pausedAt = null;
    this.#dropNext();
    this.#closeCarrier();
    this.store.set({ rewound: false, notice: null });
  }

  readonly #online = () => {
    this.#ascent.hurry(performance.now());
    if (this.#phase === 'reconnecting' && this.#carrier === null) this.retryNow();
  };

  /** The viewer count falls at once, and the page may rest in the back/forward cache. */
  readonly #leave = () => this.#drop();

  readonly #comeBack = (event: PageTransitionEvent) => {
    if (event.persisted) this.retryNow();
  };
}

function isForbidden(error: unknown): boolean {
  return error instanceof SignallingError && (error.status === 401 || error.status === 403);
}

function isHidden(): boolean {
  return typeof document !== 'undefined' && document.hidden;
}

const BLOCKED =
  'The page reached the server, but the video connection did not come up. A firewall, VPN or proxy may block it: try another network, or ask the owner which media port to open.';
const STILL_SLOWER = 'Instant does not work yet. It is tried again by itself.';
const REFUSALS = new Set<Phase['name']>(['server_full', 'unsupported', 'failed', 'reconnecting']);
const SILENCE_MS = 2500;
const STUCK_MS = 12_000;
/** Connected, and a picture would have come by now. */
const NO_PICTURE_MS = 4000;
const NO_PICTURE_LATE_MS = 6000;
/** A pause up to this goes on live. */
const SHORT_PAUSE_MS = 3000;
/** After this a paused viewer's connection is given back. */
const PARK_MS = 10_000;
/** So near to the end, the viewer means now. */
const LIVE_EDGE_MS = 4000;
const NEAR_LIVE_MS = 4000;
const NEAR_LIVE_STABLE_MS = 9000;
const DRIFT_MS = 6000;
const JUST_NOW_MS = 500;
/** Without a stall for so long, the smaller buffer may do again. */
const CALM_MS = 120_000;
const VARIANTS_EVERY = 15;
const MAX_CHANGES = 49;
