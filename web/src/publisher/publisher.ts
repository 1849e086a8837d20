/**
 * Being on air: opens the WHIP session, keeps the stream alive through network loss, and says in one
 * store how it goes. Sends what `Sources` gives out, and stops none of it.
 *
 * Only `end` ends the stream. Everything else (a lost network, a closed tab) leaves it to the server's
 * reconnect window.
 */
import { SignallingError } from '../session/signalling';
import { Store } from '../store';
import { encodingsFor, type Quality, totalBitrate } from './encodings';
import { UploadSampler, type UploadStats } from './health';
import type { Sources } from './sources';
import { askStanding, type Standing } from './standing';
import { type WhipOptions, WhipSession } from './whip';

export type AirPhase =
  | { name: 'idle' }
  | { name: 'starting'; waiting: string | null }
  | { name: 'live' }
  /** `deadline` (Date.now() clock): the server gives up then. */
  | { name: 'reconnecting'; deadline: number; attempt: number }
  | { name: 'ended'; why: EndReason }
  | { name: 'failed'; reason: string; code: string | null };

export type EndReason =
  | 'you'
  /** Away for longer than the reconnect window. */
  | 'too_long'
  /** Over when this page could ask again, though the window was not: the server was restarted. */
  | 'lost'
  /** Ended on the dashboard or by the server while this page was in contact with it. */
  | 'elsewhere'
  /** Another tab or encoder publishes now. */
  | 'taken_over';

export interface AirState {
  phase: AirPhase;
  stats: UploadStats | null;
  /** bit/s sent, one entry a second, newest last */
  history: number[];
  /** When this page went on air (Date.now() clock); the server knows the stream's own start. */
  since: number | null;
  /** bit/s of all layers together, as asked for */
  wantedBitrate: number;
  /** How long the server keeps the stream of a lost publisher. */
  windowMs: number;
}

export interface AirOptions {
  handle: string;
  quality: Quality;
  bitrate: number;
  codec: string | null;
  simulcast: boolean;
  /** Layers, at most, as its creator set for the stream. */
  mostLayers: number | null;
  /** The server holds a stream of this channel open; giving up must not end it. */
  resumes: boolean;
  windowMs: number;
}

const RETRY_MS = 2000;
/** A session that is just being made becomes a publisher within this many short looks, or nothing. */
const LOOKS = 3;
const LOOK_MS = 700;
/** Without a sign of the server for this long, what happened there meanwhile is not known. */
const CONTACT_MS = 10_000;
const HISTORY = 300;

export class Publisher {
  readonly store = new Store<AirState>({
    phase: { name: 'idle' },
    stats: null,
    history: [],
    since: null,
    wantedBitrate: 0,
    windowMs: 0,
  });
  readonly #sources: Sources;
  #session: WhipSession | null = null;
  #options: WhipOptions | null = null;
  #handle = '';
  #run = 0;
  #recovering = false;
  /** Every session of this stream that was this page's own. */
  #own: string[] = [];
  /** When something last came from the server (Date.now() clock), and how much had come by then. */
  #heardAt = 0;
  #heardBytes = 0;
  #connectionType: string | undefined;
  #sampler = new UploadSampler();
  #tick: ReturnType<typeof setInterval> | undefined;
  #wake: (() => void) | null = null;

  constructor(sources: Sources) {
    this.#sources = sources;
    sources.onOutput = (output) => void this.#session?.send(output).catch(() => undefined);
  }

  /** Goes on air, or back on air after a reload. Waits while the server holds an older session. */
  async start(options: AirOptions): Promise<void> {
    const run = this.#reset();
    this.#handle = options.handle;
    this.#options = {
      endpoint: `/whip/${encodeURIComponent(options.handle)}`,
      quality: options.quality,
      bitrate: options.bitrate,
      codec: options.codec,
      simulcast: options.simulcast,
      mostLayers: options.mostLayers,
      resumes: options.resumes,
    };
    this.#own = [];
    this.store.set({
      phase: { name: 'starting', waiting: null },
      windowMs: options.windowMs,
      history: [],
      stats: null,
      wantedBitrate: totalBitrate(
        encodingsFor(options.quality.height, options.quality.fps, options.bitrate, {
          simulcast: options.simulcast,
          most: options.mostLayers,
        }),
      ),
    });
    while (run === this.#run) {
      try {
        if (await this.#open(run)) return this.#onAir();
        if (run === this.#run) this.#fail(new Error(NO_MEDIA_PATH));
        return;
      } catch (error) {
        if (run !== this.#run) return;
        if (!(error instanceof SignallingError) || error.status !== 409) return this.#fail(error);
        // Whoever holds the channel has a stream, and this one will go on with it.
        this.#options.resumes = true;
        this.store.set({ phase: { name: 'starting', waiting: error.message } });
        await this.#sleep(error.retryAfterMs ?? RETRY_MS);
      }
    }
  }

  /** Ends the stream for everybody. */
  end(): void {
    void this.#session?.end();
    this.#session = null;
    this.#reset();
    this.store.set({ phase: { name: 'ended', why: 'you' }, stats: null, since: null });
  }

  /** Back to the green room. */
  leave(): void {
    this.#reset();
    this.store.set({ phase: { name: 'idle' }, stats: null, since: null });
  }

  /** Lets the page go without ending the stream. */
  close(): void {
    this.#reset();
    this.#sources.onOutput = null;
  }

  /** "Try now" while reconnecting. */
  tryNow(): void {
    this.#wake?.();
  }

  async #open(run: number): Promise<boolean> {
    if (!this.#options) return false;
    const session = new WhipSession(this.#options, this.#sources.output, (state) => {
      if (run === this.#run && this.#session === session) this.#connection(state);
    });
    this.#session = session;
    this.#sampler = new UploadSampler();
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), 10_000);
    try {
      await session.open(abort.signal);
    } catch (error) {
      session.abandon();
      const slow = error instanceof DOMException && error.name === 'AbortError';
      throw slow ? new SignallingError(0, null, 'The server does not answer.', null) : error;
    } finally {
      clearTimeout(timer);
    }
    if (session.id) this.#own.push(session.id);
    if (run !== this.#run) {
      session.abandon();
      return false;
    }
    const connected = await session.connected(8000);
    if (!connected) session.abandon();
    else await session.send(this.#sources.output);
    return connected && run === this.#run;
  }

  #onAir(): void {
    if (this.#options) this.#options.resumes = true;
    this.#heardAt = Date.now();
    this.#heardBytes = 0;
    this.#connectionType = networkInformation()?.type;
    this.store.set({ phase: { name: 'live' }, since: this.store.get().since ?? Date.now() });
    if (this.#tick !== undefined) return;
    this.#tick = setInterval(() => void this.#sample(), 1000);
    addEventListener('online', this.#networkChanged);
    networkInformation()?.addEventListener('change', this.#connectionChanged);
  }

  #connection(state: RTCPeerConnectionState): void {
    if ((state === 'disconnected' || state === 'failed') && this.store.get().phase.name === 'live')
      void this.#recover();
  }

  /** First the same session on a new path, then a new session for the same stream. */
  async #recover(): Promise<void> {
    if (this.#recovering) return;
    this.#recovering = true;
    const run = this.#run;
    // A computer that slept notices only now.
    const lostAt = this.#heardAt;
    const deadline = () => lostAt + this.store.get().windowMs;
    // A server that ends a stream closes its session; one that is restarted is not there for a while.
    let inContact = this.#session?.isOver === true && Date.now() - lostAt < CONTACT_MS;
    for (let attempt = 1; run === this.#run && (attempt === 1 || Date.now() < deadline()); attempt += 1) {
      this.store.set({ phase: { name: 'reconnecting', deadline: deadline(), attempt }, stats: null });
      const outcome = await this.#tryOnce(run, attempt);
      if (run !== this.#run) return;
      if (outcome === 'back') {
        this.#recovering = false;
        this.#onAir();
        return;
      }
      if (outcome === 'taken') return this.#over('taken_over');
      if (outcome === 'over' && inContact) return this.#over('elsewhere');
      if (outcome === 'over') return this.#over(Date.now() < deadline() ? 'lost' : 'too_long');
      if (outcome instanceof Error) {
        this.#recovering = false;
        this.#fail(outcome);
        return;
      }
      if (!outcome.reached) inContact = false;
      await this.#sleep(outcome.wait);
    }
    if (run === this.#run) this.#over('too_long');
  }

  #over(why: EndReason): void {
    this.#reset();
    this.store.set({ phase: { name: 'ended', why }, stats: null, since: null });
  }

  /** What an attempt came to: an error is one that no further attempt changes. */
  async #tryOnce(run: number, attempt: number): Promise<Outcome> {
    const session = this.#session;
    if (session && !session.isOver) {
      if (session.pc.connectionState === 'connected') return 'back';
      const restarted = await session.restart(AbortSignal.timeout(4000)).then(
        () => true,
        (error: unknown) => error,
      );
      if (run !== this.#run) return AWAY;
      if (restarted === true && (await session.connected(4000))) return 'back';
      // Not reached: the network is still away, and the session may yet be saved.
      if (restarted instanceof SignallingError && restarted.status === 0) return AWAY;
      if (restarted instanceof DOMException) return AWAY;
    }
    const standing = await askStanding(this.#handle);
    if (run !== this.#run) return AWAY;
    if (standing?.windowMs != null) this.store.set({ windowMs: standing.windowMs });
    // A stream that was ended on the dashboard must not begin again by itself.
    if (standing?.state === 'offline') return 'over';
    const other = standing ? this.#otherPublisher(standing, session) : 'none';
    if (other === 'connected') return 'taken';
    if (other === 'connecting' && attempt <= LOOKS) return { wait: LOOK_MS, reached: true };
    session?.abandon();
    try {
      return (await this.#open(run)) ? 'back' : { wait: RETRY_MS, reached: true };
    } catch (error) {
      if (!(error instanceof SignallingError))
        return error instanceof Error ? error : new Error(String(error));
      const away = error.status === 0 || error.status >= 500;
      const passing = away || error.status === 409 || error.status === 429;
      return passing ? { wait: error.retryAfterMs ?? RETRY_MS, reached: !away } : error;
    }
  }

  /** Whether somebody else publishes on the channel: two pages must not take it from each other. */
  #otherPublisher(
    { state, publisher }: Standing,
    session: WhipSession | null,
  ): 'none' | 'connecting' | 'connected' {
    // Whose it is was not told: it goes on although the server closed this one.
    if (publisher === undefined) return session?.isOver && state === 'live' ? 'connected' : 'none';
    const own = publisher === null || this.#own.some((id) => id.startsWith(publisher.session));
    // Whose place was just taken may look before the other one is to be seen.
    if (own) return session?.isOver ? 'connecting' : 'none';
    return publisher.connected ? 'connected' : 'connecting';
  }

  readonly #networkChanged = () => {
    const { name } = this.store.get().phase;
    if (name === 'reconnecting') this.#wake?.();
    else if (name === 'live') void this.#session?.restart(AbortSignal.timeout(4000)).catch(() => undefined);
  };

  /** Told of every estimate of speed; only another kind of network is another path. */
  readonly #connectionChanged = () => {
    const type = networkInformation()?.type;
    if (type === this.#connectionType) return;
    this.#connectionType = type;
    this.#networkChanged();
  };

  async #sample(): Promise<void> {
    const session = this.#session;
    const run = this.#run;
    if (!session || this.store.get().phase.name !== 'live') return;
    const report = await session.pc.getStats().catch(() => null);
    if (!report || run !== this.#run) return;
    const heard = bytesReceived(report);
    if (heard > this.#heardBytes) this.#heardAt = Date.now();
    this.#heardBytes = heard;
    const stats = this.#sampler.read(report, performance.now());
    this.store.set({ stats, history: [...this.store.get().history, stats.bitrate].slice(-HISTORY) });
  }

  #fail(error: unknown): void {
    this.#reset();
    const code = error instanceof SignallingError ? error.code : null;
    const reason = error instanceof Error ? error.message : String(error);
    this.store.set({ phase: { name: 'failed', reason, code }, stats: null, since: null });
  }

  /** Forgets the session, if one is there; callbacks of before are ignored from here on. */
  #reset(): number {
    this.#run += 1;
    this.#recovering = false;
    clearInterval(this.#tick);
    this.#tick = undefined;
    removeEventListener('online', this.#networkChanged);
    networkInformation()?.removeEventListener('change', this.#connectionChanged);
    this.#wake?.();
    this.#session?.abandon();
    this.#session = null;
    return this.#run;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#wake = done;
    });
  }
}

const NO_MEDIA_PATH =
  'The server answered, but the media connection did not come up. A firewall, VPN or proxy may block it: try another network, or ask who runs the server to open its media port (UDP and TCP).';

type Outcome = 'back' | 'over' | 'taken' | Error | { wait: number; reached: boolean };

const AWAY: Outcome = { wait: RETRY_MS, reached: false };

function bytesReceived(report: RTCStatsReport): number {
  let bytes = 0;
  for (const entry of report.values()) {
    if (entry.type === 'candidate-pair') bytes += entry.bytesReceived ?? 0;
  }
  return bytes;
}

function networkInformation(): (EventTarget & { type?: string }) | undefined {
  return (navigator as Navigator & { connection?: EventTarget & { type?: string } }).connection;
}
