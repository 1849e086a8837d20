/**
 * Pausing, and going back in what happened: where in the stream the viewer is, and the way back to what
 * happens now. The past is played from a buffer: a direct connection is left for it, and joined again by
 * whoever goes live.
 */
import type { Carrier } from './carrier';
import { offered } from './channel';
import { Delayed } from './delayed';
import type { Fallback } from './fallback';
import { Instant } from './instant';
import type { Playing } from './playing';
import type { PlayerStats } from './stats';
import type { Timeline } from './timeline';

export class Rewind {
  readonly #playing: Playing;
  readonly #fallback: Fallback;
  /** Since when, and at what moment of the stream, the picture stands still by the viewer's will. */
  #pausedAt: { at: number; wallMs: number; parked?: boolean } | null = null;
  #target = 0;

  constructor(playing: Playing, fallback: Fallback) {
    this.#playing = playing;
    this.#fallback = fallback;
  }

  togglePlay(): void {
    if (this.#playing.screen.paused) this.play();
    else this.pause();
  }

  pause(): void {
    this.#notePause();
    this.#playing.screen.pause();
  }

  /** Goes on: at the live edge after a moment, where it stood after longer. */
  play(): void {
    const { store, screen } = this.#playing;
    const paused = this.#pausedAt;
    this.#pausedAt = null;
    const long = paused !== null && performance.now() - paused.at > SHORT_PAUSE_MS;
    const carrier = this.#playing.carrier();
    if (paused && long && carrier instanceof Instant && offered(store.get().channel)) {
      this.#goTo(paused.wallMs, false);
      return;
    }
    if (long && carrier instanceof Delayed) store.set({ rewound: true });
    void screen.play();
  }

  /** Goes to what happened at this time; a picture that stands still does so there. */
  seekTo(wallMs: number): void {
    this.#goTo(wallMs, this.#playing.screen.paused);
  }

  seekBy(seconds: number): void {
    const { timeline } = this.#playing.store.get();
    if (timeline) this.seekTo((this.#seekingTo ?? timeline.positionMs) + seconds * 1000);
  }

  /** Back to what happens now, by the transport that was left for the past. */
  goLive(): void {
    const { store, screen, backstage } = this.#playing;
    const carrier = this.#playing.carrier();
    this.#pausedAt = null;
    if (backstage.why === 'seek') this.#fallback.dropNext();
    store.set({ rewound: false });
    if (carrier instanceof Delayed) {
      carrier.toLiveEdge();
      this.#fallback.toWished(carrier);
    }
    void screen.play();
  }

  /** Called when nothing plays any more. */
  forget(): void {
    this.#pausedAt = null;
  }

  /** Called with every sample of playback from a buffer. */
  follow(carrier: Delayed, { latencyMs }: PlayerStats): void {
    if (latencyMs === null) return;
    const { rewound } = this.#playing.store.get();
    const live = carrier.transport === 'll_hls' ? NEAR_LIVE_MS : NEAR_LIVE_STABLE_MS;
    if (rewound && latencyMs < live) this.goLive();
    // Playback that stalled stays behind for ever unless it jumps.
    else if (!rewound && latencyMs > live + DRIFT_MS && this.#playing.silentFor() < JUST_NOW_MS)
      carrier.toLiveEdge();
  }

  /**
   * Called once a second: the keys of a headset pause the element itself. And whoever pauses for long
   * needs no connection.
   */
  watchPause(): void {
    const { store, backstage } = this.#playing;
    const { paused, needsTap, phase, channel } = store.get();
    if (!paused || needsTap || phase.name !== 'live') {
      if (!paused) this.#pausedAt = null;
      return;
    }
    this.#notePause();
    const since = this.#pausedAt;
    if (!since || backstage.why !== null || !(this.#playing.carrier() instanceof Instant)) return;
    if (!offered(channel) || since.parked || performance.now() - since.at < PARK_MS) return;
    since.parked = true;
    this.#openPast(since.wallMs, true);
  }

  /** What can be seen again, and where in it the viewer is. */
  timeline(carrier: Carrier, stats: PlayerStats): Timeline | null {
    const { channel } = this.#playing.store.get();
    const started = Date.parse(channel?.startedAt ?? '');
    if (carrier instanceof Delayed) {
      const timeline = carrier.timeline();
      return timeline && { ...timeline, positionMs: this.#seekingTo ?? timeline.positionMs };
    }
    const offer = offered(channel);
    if (!offer || Number.isNaN(started)) return null;
    const endMs = this.#now();
    const startMs = Math.max(started, endMs - offer.windowMs);
    const shown = this.#pausedAt?.wallMs ?? endMs - (stats.latencyMs ?? 0);
    return { startMs, endMs, positionMs: Math.max(startMs, this.#seekingTo ?? shown) };
  }

  /**
   * What is on the screen now: when it happened, by the server's clock, or how far it lies behind what
   * happens; `null` where nothing plays.
   */
  shown(): { wallMs: number } | { behindMs: number } | null {
    const { phase, latencyMs } = this.#playing.store.get();
    const carrier = this.#playing.carrier();
    if (!carrier || phase.name !== 'live') return null;
    if (carrier instanceof Delayed) {
      const wallMs = carrier.shownMs();
      return wallMs === null ? null : { wallMs };
    }
    return this.#pausedAt ? { wallMs: this.#pausedAt.wallMs } : { behindMs: latencyMs ?? 0 };
  }

  /** The moment that is on its way to the screen. */
  get #seekingTo(): number | null {
    return this.#playing.backstage.why === 'seek' ? this.#target : null;
  }

  #goTo(wallMs: number, still: boolean): void {
    const { store, screen } = this.#playing;
    const { timeline } = store.get();
    if (!timeline) return;
    const target = Math.max(wallMs, timeline.startMs);
    if (target > timeline.endMs - LIVE_EDGE_MS) {
      this.goLive();
      return;
    }
    store.set({ timeline: { ...timeline, positionMs: target } });
    this.#pausedAt = still ? { at: performance.now(), wallMs: target } : null;
    const carrier = this.#playing.carrier();
    if (carrier instanceof Delayed) {
      this.#fallback.dropNext();
      carrier.seek(target);
      store.set({ rewound: true });
      if (!still) void screen.play();
    } else {
      this.#openPast(target, still);
    }
  }

  #openPast(wallMs: number, still: boolean): void {
    const { store, backstage } = this.#playing;
    if (!offered(store.get().channel)) return;
    const carrier = this.#playing.make(this.#fallback.slower, { wallMs });
    backstage.open({ carrier, why: 'seek', reason: 'rewound', armed: true, still });
    this.#target = wallMs;
  }

  #notePause(): void {
    const { latencyMs, timeline } = this.#playing.store.get();
    const wallMs = this.#playing.carrier() instanceof Delayed ? timeline?.positionMs : undefined;
    this.#pausedAt ??= { at: performance.now(), wallMs: wallMs ?? this.#now() - (latencyMs ?? 0) };
  }

  /** By the server's clock, which the times of a stream are told in. */
  #now(): number {
    return Date.now() + (this.#playing.store.get().channel?.clockAheadMs ?? 0);
  }
}

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
