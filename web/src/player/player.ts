/**
 * The watch page's state machine: joins a channel by WHEP, keeps it playing, and says in one store
 * what a person sees. Owns the session, the retry timer and the polling of a channel that is not live.
 *
 * Invariant: every callback of a session carries the run it was made for; one of an older run is ignored.
 */
import { Store } from '../store';
import { type ChannelFacts, fetchChannel } from './channel';
import type { LayerSet } from './layers';
import { type Phase, phaseAfter, retryDelay } from './phase';
import { rememberedVolume, Screen, type ScreenState } from './screen';
import { type PlayerStats, StatsSampler } from './stats';
import { WhepSession } from './whep';

export interface PlayerState extends ScreenState {
  phase: Phase;
  channel: ChannelFacts | null;
  viewers: number | null;
  layers: LayerSet | null;
  /** The rid of the layer that the server holds to for this viewer; `null` is Auto, its own choice. */
  pinned: string | null;
  stats: PlayerStats | null;
  /** From the start of the join to its first picture. */
  joinMs: number | null;
}

export class Player {
  readonly handle: string;
  readonly store: Store<PlayerState>;
  readonly screen: Screen;

  #run = 0;
  /** The rid that the viewer wants, kept across sessions and while the host does not send it. */
  #wish: string | null = null;
  #choosing = 0;
  #attempt = 0;
  #wasLive = false;
  #session: WhepSession | null = null;
  #abort = new AbortController();
  #sampler = new StatsSampler();
  #retry: ReturnType<typeof setTimeout> | undefined;
  #grace: ReturnType<typeof setTimeout> | undefined;
  #tick: ReturnType<typeof setInterval> | undefined;
  #ticks = 0;
  #startedAt = 0;
  #mediaAt = 0;
  #silencedAt = Number.NEGATIVE_INFINITY;
  #endedStream: string | null = null;

  constructor(handle: string) {
    this.handle = handle;
    this.store = new Store<PlayerState>({
      phase: { name: 'connecting', since: Date.now() },
      channel: null,
      viewers: null,
      layers: null,
      pinned: null,
      stats: null,
      joinMs: null,
      muted: true,
      volume: rememberedVolume(),
      paused: false,
      needsTap: false,
    });
    this.screen = new Screen(this.store as unknown as Store<ScreenState>);
  }

  /** Joins at once; a second call does nothing. */
  start(): void {
    if (this.#tick !== undefined) return;
    this.#tick = setInterval(() => void this.#everySecond(), 1000);
    addEventListener('online', this.#online);
    addEventListener('pagehide', this.#leave);
    addEventListener('pageshow', this.#comeBack);
    void this.#join();
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
    void this.#join();
  }

  /** Pins a quality for this and later sessions; `null` leaves it to the server. */
  async chooseLayer(rid: string | null): Promise<void> {
    const before = this.store.get().pinned;
    this.#wish = rid;
    this.store.set({ pinned: rid });
    if (await this.#askFor(rid)) return;
    // Refused: it stays as it was.
    if (this.#wish === rid) this.#wish = before;
    this.store.set({ pinned: before });
  }

  /** True once the server holds to it, and when a newer wish has taken its place. */
  async #askFor(rid: string | null): Promise<boolean> {
    const mediaId = this.store.get().layers?.mediaId;
    if (mediaId === undefined) return false;
    const run = this.#run;
    this.#choosing += 1;
    const choosing = this.#choosing;
    const accepted = await this.#session?.choose(mediaId, rid);
    if (run !== this.#run || choosing !== this.#choosing) return true;
    this.#choosing = 0;
    return accepted ?? false;
  }

  get #phase(): Phase['name'] {
    return this.store.get().phase.name;
  }

  #setPhase(phase: Phase): void {
    const now = this.store.get().phase;
    if (phase.name === now.name && !('reason' in phase) && !('retryAt' in phase)) return;
    this.store.set({ phase });
  }

  async #join(): Promise<void> {
    this.#drop();
    const run = this.#run;
    if (typeof RTCPeerConnection === 'undefined') {
      this.#setPhase({
        name: 'unsupported',
        reason: 'This browser cannot receive live video (WebRTC is missing or switched off).',
      });
      return;
    }
    const now = this.store.get().phase;
    if (now.name === 'reconnecting') this.#setPhase({ ...now, retryAt: null });
    else this.#setPhase({ name: 'connecting', since: Date.now() });
    this.#startedAt = performance.now();
    this.#mediaAt = this.#startedAt;
    this.#sampler = new StatsSampler();
    this.#abort = new AbortController();

    const still = (act: () => void) => {
      if (run === this.#run) act();
    };
    const session = new WhepSession(`/whep/${encodeURIComponent(this.handle)}`, {
      connection: (state) => still(() => this.#connection(state)),
      layers: (layers) => still(() => this.#layers(layers)),
      viewers: (viewers) => still(() => this.store.set({ viewers })),
      publisher: (active) => still(() => this.#publisher(active)),
      ended: () => still(() => this.#ended()),
      moved: () => still(() => this.#reconnect('The server asks viewers to connect again.')),
    });
    this.#session = session;
    try {
      await session.open(this.#abort.signal);
      if (run !== this.#run) return;
      this.screen.show(session.stream, () => still(() => this.#picture()));
      this.#grace = setTimeout(() => this.#neverConnected(), CONNECT_LIMIT_MS);
    } catch (error) {
      still(() => this.#refused(error));
    }
  }

  #refused(error: unknown): void {
    this.#drop();
    const phase = phaseAfter(error, Date.now(), this.#attempt, this.#wasLive);
    if (phase.name === 'ended') this.#endedStream = this.store.get().channel?.startedAt ?? null;
    this.#setPhase(phase);
    if ('retryAt' in phase && phase.retryAt !== null) this.#retryAt(phase.retryAt);
    if (phase.name === 'offline' || phase.name === 'ended') void this.#askChannel();
  }

  #connection(state: RTCPeerConnectionState): void {
    if (state === 'connected') {
      clearTimeout(this.#grace);
      if (this.#phase === 'reconnecting' && this.#wasLive)
        this.#setPhase({ name: 'connecting', since: Date.now() });
    } else if (state === 'disconnected') {
      void this.#restart();
    } else if (state === 'failed') {
      if (this.#wasLive) this.#reconnect('Your connection to the server was lost.');
      else this.#neverConnected();
    }
  }

  /** The network changed under a running session: same session, new path (RFC 9725 §4.3.3). */
  async #restart(): Promise<void> {
    const session = this.#session;
    const run = this.#run;
    if (!session) return;
    this.#setPhase({ name: 'reconnecting', reason: 'Your connection dropped.', retryAt: null });
    clearTimeout(this.#grace);
    this.#grace = setTimeout(() => this.#reconnect('Your connection dropped.'), RESTART_LIMIT_MS);
    try {
      await session.restart(this.#abort.signal);
    } catch {
      if (run === this.#run) this.#reconnect('Your connection dropped.');
    }
  }

  #reconnect(reason: string): void {
    this.#drop();
    const retryAt = Date.now() + (this.#attempt === 0 ? 0 : retryDelay(this.#attempt - 1));
    this.#setPhase({ name: 'reconnecting', reason, retryAt });
    this.#retryAt(retryAt);
  }

  #neverConnected(): void {
    this.#drop();
    if (this.#attempt < 2) {
      this.#reconnect('The media connection could not be made.');
      return;
    }
    this.#setPhase({
      name: 'failed',
      reason:
        'The page reached the server, but the video connection did not come up. A firewall, VPN or proxy may block it: try another network, or ask the owner which media port to open.',
    });
  }

  #retryAt(at: number): void {
    this.#attempt += 1;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#join(), Math.max(0, at - Date.now()));
  }

  #picture(): void {
    this.#mediaAt = performance.now();
    clearTimeout(this.#grace);
    if (this.#phase === 'live') return;
    if (!this.#wasLive) this.store.set({ joinMs: performance.now() - this.#startedAt });
    this.#attempt = 0;
    this.#wasLive = true;
    this.#setPhase({ name: 'live' });
    void this.#askChannel();
  }

  #publisher(active: boolean): void {
    if (!active && (this.#phase === 'live' || this.#phase === 'connecting')) {
      this.#silencedAt = performance.now();
      this.#setPhase({ name: 'host_reconnecting' });
    }
    // Back on air is shown by pictures, not by the announcement of them.
  }

  #layers(layers: LayerSet): void {
    this.store.set({ layers });
    if (this.#choosing > 0) return;
    const { pinned } = this.store.get();
    const wished = layers.layers.some(({ rid }) => rid === this.#wish) ? this.#wish : null;
    // The server chooses by itself what the host does not send.
    if (wished === null && pinned !== null) this.store.set({ pinned: null });
    // A new session does not know the wish yet, nor does one that could not follow it before.
    if (wished !== null && pinned !== wished) void this.#pinAgain(wished);
  }

  async #pinAgain(rid: string): Promise<void> {
    const run = this.#run;
    if ((await this.#askFor(rid)) && run === this.#run && this.#wish === rid) this.store.set({ pinned: rid });
  }

  /** No `ended` was heard, and yet it is over. */
  #gone(): void {
    if (this.#wasLive) this.#ended();
    else if (this.#phase === 'host_reconnecting') {
      this.#drop();
      this.#setPhase({ name: 'offline' });
    }
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
    const run = this.#run;
    const session = this.#session;
    if (session) {
      const stats = await this.#sampler.sample(session.pc, performance.now()).catch(() => null);
      if (run !== this.#run || !stats) return;
      this.#sampled(stats);
    }
    const waiting = this.#phase === 'offline' || this.#phase === 'ended';
    const doubtful = this.#phase === 'host_reconnecting' || (session && this.#silentFor() > SILENCE_MS);
    const every = waiting || doubtful ? 2 : 15;
    if (this.#ticks % every === 0 && this.#phase !== 'not_found') await this.#askChannel();
  }

  #sampled(stats: PlayerStats): void {
    const before = this.store.get().stats;
    this.store.set({ stats });
    const now = performance.now();
    // What was on its way when the host went is no sign of a return.
    const leftover = now - this.#silencedAt < LEFTOVER_MS;
    if (!leftover && (stats.framesDecoded > (before?.framesDecoded ?? 0) || this.#onlySound(stats, before))) {
      this.#picture();
    }
    if (this.#phase === 'connecting' && this.#silentFor() > STUCK_MS) {
      this.#reconnect('The connection stands, but no picture arrives.');
    }
  }

  /** Sound flows, and a picture would have come by now. */
  #onlySound(stats: PlayerStats, before: PlayerStats | null): boolean {
    const flows = stats.packetsReceived > (before?.packetsReceived ?? 0);
    return flows && stats.framesDecoded === 0 && performance.now() - this.#startedAt > NO_PICTURE_MS;
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
    const viewers = this.store.get().viewers;
    this.store.set({
      channel,
      ...(this.#phase === 'live' && viewers !== null ? {} : { viewers: channel.viewers }),
    });
    this.#compare(channel);
  }

  /** Holds what the server says against what is seen. */
  #compare(channel: ChannelFacts): void {
    const phase = this.#phase;
    const on = channel.state !== 'offline';
    if (phase === 'offline' && on) void this.#join();
    else if (phase === 'ended' && on && channel.startedAt !== this.#endedStream) {
      this.#wasLive = false;
      void this.#join();
    } else if (this.#session && this.#silentFor() > SILENCE_MS) {
      if (channel.state === 'reconnecting') this.#setPhase({ name: 'host_reconnecting' });
      else if (channel.state === 'offline') this.#gone();
    }
  }

  #drop(): void {
    this.#run += 1;
    clearTimeout(this.#retry);
    clearTimeout(this.#grace);
    this.#abort.abort();
    this.#session?.close();
    this.#session = null;
    this.#choosing = 0;
    this.store.set({ stats: null, layers: null, pinned: null });
  }

  readonly #online = () => {
    if (this.#phase === 'reconnecting' && this.#session === null) this.retryNow();
  };

  /** The viewer count falls at once, and the page may rest in the back/forward cache. */
  readonly #leave = () => this.#drop();

  readonly #comeBack = (event: PageTransitionEvent) => {
    if (event.persisted) this.retryNow();
  };
}

const CONNECT_LIMIT_MS = 10_000;
const RESTART_LIMIT_MS = 5000;
const SILENCE_MS = 2500;
const STUCK_MS = 12_000;
const LEFTOVER_MS = 1500;
const NO_PICTURE_MS = 3000;
