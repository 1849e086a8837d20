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
import { type WhipOptions, WhipSession } from './whip';

export type AirPhase =
  | { name: 'idle' }
  | { name: 'starting'; waiting: string | null }
  | { name: 'live' }
  /** `deadline` (Date.now() clock): the server gives up then. */
  | { name: 'reconnecting'; deadline: number; attempt: number }
  | { name: 'ended'; why: 'you' | 'too_long' | 'elsewhere' }
  | { name: 'failed'; reason: string; code: string | null };

export interface AirState {
  phase: AirPhase;
  stats: UploadStats | null;
  /** bit/s sent, one entry a second, newest last */
  history: number[];
  /** When this page went on air (Date.now() clock); the server knows the stream's own start. */
  since: number | null;
  /** bit/s of all layers together, as asked for */
  wantedBitrate: number;
}

export interface AirOptions {
  handle: string;
  quality: Quality;
  bitrate: number;
  codec: string | null;
  simulcast: boolean;
  /** The server holds a stream of this channel open; giving up must not end it. */
  resumes: boolean;
}

const RECONNECT_WINDOW_MS = 30_000;
const RETRY_MS = 2000;
const HISTORY = 300;

export class Publisher {
  readonly store = new Store<AirState>({
    phase: { name: 'idle' },
    stats: null,
    history: [],
    since: null,
    wantedBitrate: 0,
  });
  readonly #sources: Sources;
  #session: WhipSession | null = null;
  #options: WhipOptions | null = null;
  #handle = '';
  #run = 0;
  #recovering = false;
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
      resumes: options.resumes,
    };
    this.store.set({
      phase: { name: 'starting', waiting: null },
      history: [],
      stats: null,
      wantedBitrate: totalBitrate(
        encodingsFor(options.quality.height, options.quality.fps, options.bitrate, {
          simulcast: options.simulcast,
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

  /** The server says that the stream is over, whoever ended it. */
  overElsewhere(): void {
    this.#reset();
    this.store.set({ phase: { name: 'ended', why: 'elsewhere' }, stats: null, since: null });
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
    this.store.set({ phase: { name: 'live' }, since: this.store.get().since ?? Date.now() });
    if (this.#tick !== undefined) return;
    this.#tick = setInterval(() => void this.#sample(), 1000);
    addEventListener('online', this.#networkChanged);
    networkInformation()?.addEventListener('change', this.#networkChanged);
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
    const deadline = Date.now() + RECONNECT_WINDOW_MS;
    for (let attempt = 1; run === this.#run && Date.now() < deadline; attempt += 1) {
      this.store.set({ phase: { name: 'reconnecting', deadline, attempt }, stats: null });
      const outcome = await this.#tryOnce(run);
      if (run !== this.#run) return;
      if (outcome === 'back') {
        this.#recovering = false;
        this.#onAir();
        return;
      }
      if (outcome === 'over') return this.overElsewhere();
      if (outcome instanceof Error) {
        this.#recovering = false;
        this.#fail(outcome);
        return;
      }
      await this.#sleep(outcome);
    }
    if (run !== this.#run) return;
    this.#reset();
    this.store.set({ phase: { name: 'ended', why: 'too_long' }, stats: null, since: null });
  }

  /** 'back', 'over' (ended elsewhere), an error that no attempt changes, or how long to wait before the next. */
  async #tryOnce(run: number): Promise<'back' | 'over' | Error | number> {
    const session = this.#session;
    if (session && !session.isOver) {
      if (session.pc.connectionState === 'connected') return 'back';
      const restarted = await session.restart(AbortSignal.timeout(4000)).then(
        () => true,
        (error: unknown) => error,
      );
      if (run !== this.#run) return 0;
      if (restarted === true && (await session.connected(4000))) return 'back';
      // Not reached: the network is still away, and the session may yet be saved.
      if (restarted instanceof SignallingError && restarted.status === 0) return RETRY_MS;
      if (restarted instanceof DOMException) return RETRY_MS;
    }
    if (await this.#overOnServer()) return 'over';
    if (run !== this.#run) return 0;
    session?.abandon();
    try {
      return (await this.#open(run)) ? 'back' : RETRY_MS;
    } catch (error) {
      if (!(error instanceof SignallingError))
        return error instanceof Error ? error : new Error(String(error));
      const passing =
        error.status === 0 || error.status === 409 || error.status === 429 || error.status >= 500;
      return passing ? (error.retryAfterMs ?? RETRY_MS) : error;
    }
  }

  /** A stream that was ended on the dashboard must not begin again by itself. */
  async #overOnServer(): Promise<boolean> {
    const response = await fetch(`/api/channels/${encodeURIComponent(this.#handle)}`, {
      cache: 'no-store',
    }).catch(() => null);
    const channel = response?.ok ? await response.json().catch(() => null) : null;
    return channel?.state === 'offline';
  }

  readonly #networkChanged = () => {
    const { name } = this.store.get().phase;
    if (name === 'reconnecting') this.#wake?.();
    else if (name === 'live') void this.#session?.restart(AbortSignal.timeout(4000)).catch(() => undefined);
  };

  async #sample(): Promise<void> {
    const session = this.#session;
    const run = this.#run;
    if (!session || this.store.get().phase.name !== 'live') return;
    const report = await session.pc.getStats().catch(() => null);
    if (!report || run !== this.#run) return;
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
    networkInformation()?.removeEventListener('change', this.#networkChanged);
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

function networkInformation(): EventTarget | undefined {
  return (navigator as Navigator & { connection?: EventTarget }).connection;
}
