/**
 * The watch page's state machine: joins a channel, tries again, and says in one store what a person sees.
 * Owns what plays, what gets ready behind it and the retry timer. By which transport is the fallback's to
 * decide, at which moment of the stream the rewind's; the lookout asks for the channel.
 *
 * Invariants: every event names its carrier, and one that is no longer ours is not heard; what gets
 * ready takes over only when it plays.
 */
import { Store } from '../store';
import { Backstage, type Next } from './backstage';
import type { Carrier, CarrierEvent } from './carrier';
import { Delayed } from './delayed';
import { Fallback } from './fallback';
import { fetchHls } from './hls_js';
import { Instant } from './instant';
import { Lookout } from './lookout';
import type { BarredWhy } from './pass';
import { isOrder, type Phase, phaseAfter, retryDelay } from './phase';
import type { Start } from './playback';
import type { Playing } from './playing';
import { Presence, watching } from './presence';
import { SOUND, type Wish, wishFor } from './quality';
import { Rewind } from './rewind';
import { Screen, type ScreenState } from './screen';
import { initialState, type PlayerState } from './state';
import {
  type ChangeReason,
  type Choice,
  reasonWords,
  rememberChoice,
  type Transport,
  wishedTransport,
} from './transport';

export class Player {
  readonly handle: string;
  /** The server's origin; empty where the page is its own. */
  readonly server: string;
  readonly store: Store<PlayerState>;
  readonly screen: Screen;
  readonly rewind: Rewind;

  readonly #playing: Playing;
  readonly #withData: boolean;
  #carrier: Carrier | null = null;
  readonly #backstage: Backstage;
  readonly #fallback: Fallback;
  readonly #presence: Presence;
  readonly #lookout: Lookout;
  /** The quality that the viewer wants, kept across sessions and while the host does not send it. */
  #wish: Wish | null = null;
  #attempt = 0;
  /** How often it was let in by what the server says of the channel, and had no picture since. */
  #admissions = 0;
  #admittedAt = 0;
  #wasLive = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #startedAt = 0;
  #mediaAt = 0;
  /** Where to go on when playback of the past breaks. */
  #resume: { transport: Transport; wallMs: number } | null = null;

  /** `withData` asks for data channels beside the picture, for whoever takes them from the store. */
  constructor(handle: string, server = '', withData = false) {
    this.handle = handle;
    this.server = server;
    this.#withData = withData;
    this.#presence = new Presence(handle, server);
    this.store = new Store(initialState());
    this.screen = new Screen(this.store as unknown as Store<ScreenState>);
    this.#backstage = new Backstage(this.screen, {
      ready: (next) => this.#promote(next),
      failed: (next) => this.#nextFailed(next),
    });
    this.#playing = {
      handle,
      server,
      store: this.store,
      screen: this.screen,
      backstage: this.#backstage,
      carrier: () => this.#carrier,
      make: (transport, at) => this.#make(transport, at),
      setPhase: (phase) => this.#setPhase(phase),
      silentFor: () => this.#silentFor(),
    };
    this.#fallback = new Fallback(this.#playing);
    this.rewind = new Rewind(this.#playing, this.#fallback);
    this.#lookout = new Lookout(this.#playing, this.#fallback, this.rewind, {
      join: () => this.#join(),
      joinAnew: () => this.#joinAnew(),
      joinable: () => this.#joinable(),
      renew: () => this.#renew(),
      reconnect: (reason) => this.#reconnect(reason),
      gone: () => this.#gone(),
      admit: () => this.#admit(),
      missing: () => this.#missing(),
      standsStill: () => {
        this.#mediaAt = performance.now();
      },
      tellPresence: () => this.#tellPresence(),
    });
  }

  /** Joins at once; a second call does nothing. */
  start(): void {
    if (this.#lookout.isOn) return;
    this.#lookout.start();
    addEventListener('online', this.#online);
    addEventListener('pagehide', this.#leave);
    addEventListener('pageshow', this.#comeBack);
    this.#join();
    void this.#lookout.askChannel();
  }

  stop(): void {
    this.#lookout.stop();
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

  /** Something of what whoever watches may have changed: a purchase, a password, another account. */
  async askEntry(): Promise<void> {
    this.#admissions = 0;
    await this.#lookout.askChannel();
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
    this.#fallback.ascent.forget();
    this.#fallback.dropNext();
    this.store.set({ choice, notice: null });
    const carrier = this.#carrier;
    if (!carrier || this.#phase !== 'live') {
      this.retryNow();
      return;
    }
    const wished = wishedTransport(choice, this.store.get().channel?.said?.latency);
    if (wished === carrier.transport || this.store.get().rewound) return;
    if (wished === 'webrtc') this.backToInstant();
    else if (carrier instanceof Delayed) this.#fallback.setPace(carrier, wished, 'chosen');
    else this.#fallback.leaveInstant(wished);
  }

  /** Tries the direct connection now. */
  backToInstant(): void {
    if (this.#backstage.why === 'climb') this.#backstage.arm({ byViewer: true, reason: 'chosen' });
    else this.#fallback.climb(true);
    this.store.set({ climbing: this.#backstage.why !== null });
  }

  dismissNotice(): void {
    this.store.set({ notice: null });
  }

  get #phase(): Phase['name'] {
    return this.store.get().phase.name;
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
      this.#fallback.fall('unsupported', 'fall');
      return;
    }
    const carrier = this.#make(transport, resume && { wallMs: resume.wallMs });
    this.#show(carrier);
    this.screen.show(carrier.picture, () => this.#heard(carrier, { name: 'flows' }));
    carrier.open();
  }

  #joinAnew(): void {
    this.#wasLive = false;
    this.#fallback.ascent.forget();
    this.#join();
  }

  /** What to join by; `null` while it is not known yet. */
  #joinable(): Transport | null {
    const { channel } = this.store.get();
    const { wished } = this.#fallback;
    if (wished === 'webrtc') return wished;
    if (!channel || channel.hls?.state === 'preparing') return null;
    if (channel.hls?.state === 'ready') return wished;
    this.#fallback.tellUnavailable(channel.hls);
    return 'webrtc';
  }

  #make(transport: Transport, at: Start): Carrier {
    const tell = (carrier: Carrier, event: CarrierEvent) => this.#heard(carrier, event);
    if (transport === 'webrtc')
      return new Instant(this.handle, {
        wish: this.#wish,
        tell,
        server: this.server,
        withData: this.#withData,
      });
    const guess = `${this.server}/hls/${encodeURIComponent(this.handle)}/index.m3u8`;
    const url = this.store.get().channel?.hls?.url ?? guess;
    const pace = transport === 'll_hls' ? 'low' : 'stable';
    return new Delayed({ url, pace, at, wish: this.#wish, passEndpoint: () => this.#passEndpoint, tell });
  }

  get #passEndpoint(): string | null {
    const id = this.store.get().channel?.said?.id;
    return id ? `${this.server}/api/streams/${encodeURIComponent(id)}/pass` : null;
  }

  #show(carrier: Carrier): void {
    this.#carrier = carrier;
    this.#lookout.forgetVariants();
    this.#fallback.loss.forget();
    this.store.set({
      transport: carrier.transport,
      qualities: carrier.qualities,
      pinned: carrier.pinned,
      stats: null,
      data: carrier instanceof Instant ? carrier.data : null,
    });
  }

  #heard(carrier: Carrier, event: CarrierEvent): void {
    // What gets ready behind the picture stands before the same gate.
    if (event.name === 'barred') {
      this.#bar(event.why);
      return;
    }
    this.#backstage.heard(carrier, event);
    if (event.name === 'connected') this.#tellPresence();
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
        this.#fallback.fall(event.reason, 'hedge');
        break;
      case 'late':
        this.#fallback.arm();
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
      case 'preview':
        this.store.set({ previewEndsAt: event.leftMs === null ? null : Date.now() + event.leftMs });
        break;
      case 'viewers':
        this.store.set({ viewers: event.count });
        break;
      case 'qualities':
        this.store.set({ qualities: carrier.qualities, pinned: carrier.pinned });
        break;
      case 'updated':
        void this.#lookout.askChannel();
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
    this.#fallback.forgetFall();
    clearTimeout(this.#retry);
    this.screen.commit();
    before?.close();
    this.#show(next.carrier);
    const to = next.carrier.transport;
    if (to === 'webrtc') this.#fallback.ascent.climbed(performance.now());
    else if (next.why === 'hedge' || (next.why === 'fall' && next.reason !== 'chosen'))
      this.#fallback.ascent.fell(to, performance.now());
    this.store.set({ climbing: false, ...(next.why === 'seek' ? { rewound: true } : {}) });
    if (from && next.reason) this.#fallback.note(from, to, next.reason);
    this.#picture();
    this.#tellPresence();
  }

  #nextFailed(next: Next): void {
    const { notice } = this.store.get();
    const playing = this.#carrier?.transport;
    if (next.why === 'climb' && playing) {
      if (this.#fallback.ascent.fallen === null) this.#fallback.ascent.fell(playing, performance.now());
      else this.#fallback.ascent.failed(performance.now());
      const words = notice ? STILL_SLOWER : reasonWords('blocked');
      if (next.byViewer) this.store.set({ notice: { transport: playing, words, at: Date.now() } });
    }
    if (next.why === 'fall' || next.why === 'hedge') this.#fallback.forgetFall();
    this.store.set({ climbing: false });
    if (next.why === 'seek' && !next.still) void this.screen.play();
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

  #refused(error: unknown): void {
    this.#closeCarrier();
    const phase = phaseAfter(error, Date.now(), this.#attempt, this.#wasLive);
    if (phase.name === 'ended') this.#lookout.noteEnd();
    this.#setPhase(phase);
    if ('retryAt' in phase && phase.retryAt !== null) this.#retryAt(phase.retryAt);
    if (phase.name === 'offline' || phase.name === 'ended') {
      this.#fallback.dropNext();
      void this.#lookout.askChannel();
    } else if (phase.name === 'server_full') this.#fallback.fall('server_full', 'fall');
    else if (phase.name === 'unsupported') this.#fallback.fall(isOrder(error) ? 'b_frames' : 'codec', 'fall');
    else if (phase.name === 'failed') this.#fallback.fall('codec', 'fall');
  }

  /** Nothing is tried any more until the server says that whoever watches may. */
  #bar(why: BarredWhy): void {
    const midway = this.#wasLive;
    this.#drop();
    this.store.set({ previewEndsAt: null });
    this.#setPhase({ name: 'barred', why, midway });
    void this.#lookout.askChannel();
  }

  /** What the channel says and what its media says may differ for a while: ever more slowly, then. */
  #admit(): void {
    const now = performance.now();
    const waitMs = this.#admissions === 0 ? 0 : retryDelay(this.#admissions - 1);
    if (now - this.#admittedAt < waitMs) return;
    this.#admissions += 1;
    this.#admittedAt = now;
    this.#wasLive = false;
    this.#join();
  }

  #lost(carrier: Carrier, reason: ChangeReason | null, words: string): void {
    const { rewound, timeline } = this.store.get();
    if (carrier instanceof Instant && reason) {
      this.#fallback.fall(reason, 'hedge');
      this.#fallback.arm();
    } else if (reason === 'codec' || reason === 'unsupported') {
      this.#closeCarrier();
      this.#fallback.ascent.forget();
      if (wishedTransport(this.store.get().choice) !== 'webrtc' || this.#attempt > 0) {
        this.#setPhase({ name: 'unsupported', reason: words });
        return;
      }
    } else if (this.#attempt >= 2) {
      // What was given up may work by now; what plays does not.
      this.#fallback.ascent.forget();
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
    this.#fallback.fall('blocked', 'hedge');
    this.#fallback.arm();
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
    this.#fallback.calm();
    if (this.#phase === 'live') return;
    if (!this.#wasLive) this.store.set({ joinMs: performance.now() - this.#startedAt });
    this.#attempt = 0;
    this.#admissions = 0;
    this.#wasLive = true;
    this.#setPhase({ name: 'live' });
    this.#tellPresence();
    void this.#lookout.askChannel();
  }

  #tellPresence(): void {
    this.#presence.see(watching(this.#playing), performance.now());
  }

  #publisher(active: boolean): void {
    this.#fallback.loss.forget();
    if (!active && (this.#phase === 'live' || this.#phase === 'connecting')) {
      this.#setPhase({ name: 'host_reconnecting' });
    }
    // Back on air is shown by pictures, not by the announcement of them.
  }

  #missing(): void {
    this.#drop();
    this.#setPhase({ name: 'not_found' });
  }

  /** No `ended` was heard, and yet it is over. */
  #gone(): void {
    if (this.#wasLive) this.#ended();
    else if (
      this.#phase === 'barred' ||
      this.#phase === 'host_reconnecting' ||
      (this.#phase === 'connecting' && !this.#joinsDirectly)
    ) {
      this.#drop();
      this.#setPhase({ name: 'offline' });
    }
  }

  /** Its answer says by itself that there is nothing. */
  get #joinsDirectly(): boolean {
    return this.#carrier instanceof Instant;
  }

  #ended(): void {
    this.#lookout.noteEnd();
    this.#drop();
    this.#lookout.forgetPreference();
    this.#wasLive = true;
    this.store.set({ viewers: null });
    this.#setPhase({ name: 'ended' });
    void this.#lookout.askChannel();
  }

  #silentFor(): number {
    return performance.now() - this.#mediaAt;
  }

  #closeCarrier(): void {
    clearTimeout(this.#retry);
    this.#carrier?.close();
    this.#carrier = null;
    this.store.set({ stats: null, latencyMs: null, timeline: null, qualities: [], pinned: null, data: null });
  }

  #drop(): void {
    this.#presence.leave();
    this.#fallback.forgetFall();
    this.rewind.forget();
    this.#fallback.dropNext();
    this.#closeCarrier();
    this.store.set({ rewound: false, notice: null });
  }

  readonly #online = () => {
    this.#fallback.ascent.hurry(performance.now());
    if (this.#phase === 'reconnecting' && this.#carrier === null) this.retryNow();
  };

  /** The viewer count falls at once, and the page may rest in the back/forward cache. */
  readonly #leave = () => this.#drop();

  readonly #comeBack = (event: PageTransitionEvent) => {
    if (event.persisted) this.retryNow();
  };
}

const BLOCKED =
  'The page reached the server, but the video connection did not come up. A firewall, VPN or proxy may block it: try another network, or ask the owner which media port to open.';
const STILL_SLOWER = 'Instant does not work yet. It is tried again by itself.';
