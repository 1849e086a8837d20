/** Plays a recording from its first to its last second, and says in one store what a person sees. */
import { Store } from '../store';
import type { Carrier, CarrierEvent } from './carrier';
import { Delayed } from './delayed';
import type { BarredWhy } from './pass';
import { type Quality, SOUND, type Wish, wishFor } from './quality';
import { keepPlace, resumePoint } from './resume';
import { rememberedVolume, Screen, type ScreenState } from './screen';
import type { PlayerStats } from './stats';

export type RecordingPhase =
  | { name: 'loading' }
  | { name: 'ready' }
  | { name: 'ended' }
  /** Something stands before it; `midway`: it was watched until then. */
  | { name: 'barred'; why: BarredWhy; midway: boolean }
  | { name: 'failed'; reason: string };

export interface RecordingState extends ScreenState {
  phase: RecordingPhase;
  positionMs: number;
  /** 0 until known. */
  durationMs: number;
  /** 1 is as it happened. */
  rate: number;
  /** It waits for the network. */
  waiting: boolean;
  qualities: readonly Quality[];
  pinned: string | null;
  stats: PlayerStats | null;
}

export const RATES = [0.5, 0.75, 1, 1.25, 1.5, 2];

export class RecordingPlayer {
  readonly store: Store<RecordingState>;
  readonly screen: Screen;
  readonly #id: string;
  readonly #url: string;
  readonly #passEndpoint: string;
  #startS: number;
  #carrier: Delayed | null = null;
  #next: Delayed | null = null;
  #wish: Wish | null = null;
  #tick: ReturnType<typeof setInterval> | undefined;
  #ticks = 0;

  /**
   * `startS` names the second to begin at; `null` is where this viewer left off. `server` is its origin,
   * empty where the page is its own.
   */
  constructor(recording: { id: string; url: string; startS: number | null; server?: string }) {
    this.#id = recording.id;
    this.#url = recording.url;
    this.#passEndpoint = `${recording.server ?? ''}/api/recordings/${encodeURIComponent(recording.id)}/pass`;
    this.#startS = recording.startS ?? resumePoint(recording.id) ?? 0;
    this.store = new Store<RecordingState>({
      phase: { name: 'loading' },
      positionMs: this.#startS * 1000,
      durationMs: 0,
      rate: 1,
      waiting: false,
      qualities: [],
      pinned: null,
      stats: null,
      muted: false,
      volume: rememberedVolume(),
      paused: false,
      needsTap: false,
    });
    this.screen = new Screen(this.store as unknown as Store<ScreenState>);
  }

  start(): void {
    if (this.#tick !== undefined) return;
    this.#tick = setInterval(() => void this.#look(), LOOK_MS);
    addEventListener('pagehide', this.#keep);
    this.retry();
  }

  stop(): void {
    this.#keep();
    clearInterval(this.#tick);
    this.#tick = undefined;
    removeEventListener('pagehide', this.#keep);
    this.#carrier?.close();
    this.#next?.close();
    this.#carrier = null;
    this.#next = null;
  }

  /** Begins anew where it stands. */
  retry(): void {
    this.#carrier?.close();
    this.store.set({ phase: { name: 'loading' } });
    const carrier = this.#make(this.#startS);
    this.#carrier = carrier;
    this.screen.show(carrier.picture, () => this.#heard(carrier, { name: 'flows' }));
    carrier.open();
  }

  togglePlay(): void {
    if (this.store.get().phase.name === 'ended') this.seekTo(0);
    else if (this.screen.paused) void this.screen.play();
    else this.screen.pause();
  }

  seekTo(ms: number): void {
    const video = this.screen.video;
    const { durationMs, phase } = this.store.get();
    if (!video || durationMs === 0) return;
    const seconds = Math.min(Math.max(0, ms), durationMs) / 1000;
    video.currentTime = seconds;
    this.#startS = seconds;
    this.store.set({ positionMs: seconds * 1000 });
    if (phase.name !== 'ended' || seconds * 1000 >= durationMs) return;
    this.store.set({ phase: { name: 'ready' } });
    void this.screen.play();
  }

  seekBy(seconds: number): void {
    this.seekTo(this.store.get().positionMs + seconds * 1000);
  }

  setRate(rate: number): void {
    this.store.set({ rate });
    this.#applyRate();
  }

  /** To the next faster or slower rate. */
  stepRate(step: 1 | -1): void {
    const at = RATES.indexOf(this.store.get().rate) + step;
    this.setRate(RATES[Math.min(Math.max(at, 0), RATES.length - 1)] ?? 1);
  }

  chooseQuality(id: string | null): void {
    const quality = this.#carrier?.qualities.find((each) => each.id === id) ?? null;
    const before = this.#carrier?.pinned ?? null;
    this.#wish = quality && wishFor(quality);
    if ((id === SOUND) !== (before === SOUND)) this.#renew();
    else void this.#carrier?.choose(this.#wish);
  }

  /** When what plays at this moment happened, by the stream's own clock. */
  wallTime(ms: number): number | null {
    return this.#carrier?.wallTime(ms / 1000) ?? null;
  }

  #make(seconds: number): Delayed {
    return new Delayed({
      url: this.#url,
      pace: 'recording',
      at: { seconds },
      wish: this.#wish,
      passEndpoint: () => this.#passEndpoint,
      tell: (carrier, event) => this.#heard(carrier, event),
    });
  }

  /** Sound alone is another stream: it gets ready behind what plays. */
  #renew(): void {
    this.#next?.close();
    const next = this.#make(this.store.get().positionMs / 1000);
    this.#next = next;
    this.screen.prepare(next.picture, () => this.#heard(next, { name: 'flows' }));
    next.open();
  }

  #heard(carrier: Carrier, event: CarrierEvent): void {
    if (carrier === this.#next && event.name === 'flows') this.#promote(this.#next);
    if (event.name === 'barred') {
      this.#bar(event.why);
      return;
    }
    if (carrier !== this.#carrier) return;
    switch (event.name) {
      case 'flows':
        this.store.set({ phase: { name: 'ready' }, waiting: false });
        break;
      case 'qualities':
        this.store.set({ qualities: carrier.qualities, pinned: carrier.pinned });
        break;
      case 'ended':
        this.store.set({ phase: { name: 'ended' }, positionMs: this.store.get().durationMs });
        this.#keep();
        break;
      case 'lost':
        this.store.set({ phase: { name: 'failed', reason: event.words } });
    }
  }

  /** Nothing is tried any more until somebody begins anew. */
  #bar(why: BarredWhy): void {
    const midway = this.store.get().phase.name !== 'loading';
    this.#keep();
    this.#carrier?.close();
    this.#next?.close();
    this.#carrier = null;
    this.#next = null;
    this.store.set({ phase: { name: 'barred', why, midway }, waiting: false });
  }

  #promote(next: Delayed): void {
    const before = this.#carrier;
    this.#next = null;
    this.#carrier = next;
    this.screen.commit();
    before?.close();
    this.#applyRate();
    this.store.set({ qualities: next.qualities, pinned: next.pinned });
  }

  async #look(): Promise<void> {
    const video = this.screen.video;
    const carrier = this.#carrier;
    if (!video || !carrier || this.store.get().phase.name === 'failed') return;
    const duration = Number.isFinite(video.duration) ? video.duration : 0;
    const { phase } = this.store.get();
    // Until it plays, the element is at zero and not where it is to begin.
    if (phase.name === 'ready') {
      this.#startS = video.currentTime;
      this.store.set({ positionMs: video.currentTime * 1000, durationMs: duration * 1000 });
    } else if (duration > 0) this.store.set({ durationMs: duration * 1000 });
    this.store.set({ waiting: carrier.stalls.stalledFor(performance.now()) > WAITING_MS });
    this.#ticks += 1;
    if (this.#ticks % PER_SECOND !== 0) return;
    const stats = await carrier.sample();
    if (carrier === this.#carrier) this.store.set({ stats });
    await this.#next?.sample();
    if (this.#ticks % (5 * PER_SECOND) === 0) this.#keep();
    this.#applyRate();
  }

  #applyRate(): void {
    const video = this.screen.video;
    const { rate } = this.store.get();
    if (video && video.playbackRate !== rate) video.playbackRate = rate;
  }

  readonly #keep = () => {
    const { phase, positionMs, durationMs } = this.store.get();
    if (durationMs > 0 && phase.name !== 'loading') keepPlace(this.#id, positionMs / 1000, durationMs / 1000);
  };
}

const LOOK_MS = 250;
const PER_SECOND = 4;
const WAITING_MS = 400;
