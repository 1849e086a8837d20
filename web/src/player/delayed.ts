/**
 * The way over a buffer, by HLS: hls.js first, the browser's own player where media source extensions
 * are missing. Loads its library only when it is opened. Plays at the live edge or from a moment of the
 * past; `setPace` moves it between low latency and a stable buffer.
 */
import type { Carrier, CarrierEvent } from './carrier';
import { playHls } from './hls_js';
import { playNative } from './native_hls';
import { type PassAnswer, Passes } from './pass';
import type { Pace, Playback, PlaybackFailure, PlaybackListener, Start } from './playback';
import { fulfils, type Quality, SOUND, SOUND_ONLY, type Wish } from './quality';
import type { Picture } from './screen';
import type { PlayerStats } from './stats';
import type { Timeline } from './timeline';
import { StallWatch } from './trouble';

export interface DelayedOptions {
  url: string;
  pace: Pace;
  at: Start;
  wish: Wish | null;
  /** Where passes are given out; `null` while that is not known. */
  passEndpoint: () => string | null;
  tell: (carrier: Carrier, event: CarrierEvent) => void;
}

export class Delayed implements Carrier {
  readonly picture: Picture;
  pinned: string | null = null;
  readonly stalls = new StallWatch();

  readonly #options: DelayedOptions;
  readonly #soundOnly: boolean;
  readonly #passes: Passes;
  readonly #tell: (event: CarrierEvent) => void;
  #pace: Pace;
  #wish: Wish | null;
  #playback: Playback | null = null;
  #video: HTMLVideoElement | null = null;
  #unlisten: () => void = () => undefined;
  #seconds = 0;
  #last: { at: number; frames: number; bytes: number } | null = null;
  #began = false;
  #resumedAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: DelayedOptions) {
    this.#options = options;
    this.#pace = options.pace;
    this.#wish = options.wish;
    this.#soundOnly = options.wish?.rid === SOUND;
    if (this.#soundOnly) this.pinned = SOUND;
    this.#tell = (event) => {
      if (!this.#closed) options.tell(this, event);
    };
    this.#passes = new Passes(options.passEndpoint, (answer) => this.#passed(answer));
    this.picture = {
      attach: (video) => this.#attach(video),
      detach: () => this.#detach(),
    };
  }

  get transport(): 'll_hls' | 'hls' {
    return this.#pace === 'low' ? 'll_hls' : 'hls';
  }

  get qualities(): Quality[] {
    const layers = this.#playback?.layers ?? [];
    return [...layers.map((layer) => ({ id: layer.rid, layer })), SOUND_ONLY];
  }

  open(): void {
    void this.#open();
  }

  close(): void {
    this.#closed = true;
    this.#passes.close();
    this.#detach();
    this.#playback?.close();
    this.#playback = null;
  }

  async choose(wish: Wish | null): Promise<boolean> {
    this.#wish = wish;
    this.#follow();
    return true;
  }

  /** At the live edge it also goes to where that pace belongs. */
  setPace(pace: Pace, atLiveEdge: boolean): void {
    if (pace === this.#pace) return;
    this.#pace = pace;
    this.#playback?.setPace(pace);
    this.stalls.forget(performance.now());
    if (atLiveEdge) this.toLiveEdge();
  }

  toLiveEdge(): void {
    const live = this.#playback?.liveSeconds() ?? null;
    if (live !== null) this.#seek(live);
  }

  /** Goes to what happened at this time; the nearest that there is. */
  seek(wallMs: number): void {
    const seconds = this.#playback?.seconds(wallMs) ?? null;
    const window = this.#playback?.window() ?? null;
    if (seconds === null || !window) return;
    this.#seek(Math.min(Math.max(seconds, window.start), Math.max(window.start, window.end - EDGE_S)));
  }

  timeline(): Timeline | null {
    const playback = this.#playback;
    const window = playback?.window() ?? null;
    if (!playback || !window || !this.#video) return null;
    const startMs = playback.wall(window.start);
    const endMs = playback.wall(window.end);
    const positionMs = playback.wall(this.#video.currentTime);
    return startMs === null || endMs === null || positionMs === null ? null : { startMs, endMs, positionMs };
  }

  /** When what is on the screen happened, by the clock of the playlist. */
  shownMs(): number | null {
    return this.#video && this.#began ? this.wallTime(this.#video.currentTime) : null;
  }

  /** When what plays at this second happened. */
  wallTime(seconds: number): number | null {
    return this.#playback?.wall(seconds) ?? null;
  }

  /** How far what is seen lies behind now. */
  latencyMs(): number | null {
    const playback = this.#playback;
    const byLibrary = playback?.latencyMs() ?? null;
    if (!playback || !this.#video || byLibrary === null) return null;
    const window = playback.window();
    const shown = playback.wall(this.#video.currentTime);
    const edge = window && playback.wall(window.end);
    if (shown === null || edge === null) return byLibrary;
    const byClock = Date.now() - shown;
    // The clocks of server and viewer may differ: then only the distance to the edge is known.
    const apart = byClock - byLibrary;
    return apart > -CLOCKS_AGREE_MS && apart < MAX_PACKAGING_MS ? Math.max(0, byClock) : byLibrary;
  }

  async sample(): Promise<PlayerStats | null> {
    const video = this.#video;
    const playback = this.#playback;
    if (!video || !playback) return null;
    const moves = video.currentTime !== this.#seconds && !video.paused && video.readyState >= 2;
    this.#seconds = video.currentTime;
    if (moves) {
      this.#began = true;
      this.stalls.ended(performance.now());
      this.#tell({ name: 'flows' });
    }
    return this.#stats(video, playback);
  }

  async #open(): Promise<void> {
    const { url, at } = this.#options;
    const listener: PlaybackListener = {
      layers: () => {
        this.#follow();
        this.#tell({ name: 'qualities' });
      },
      failed: (failure) => void this.#failed(failure),
    };
    const settings = { url, at, pace: this.#pace, soundOnly: this.#soundOnly, passes: this.#passes };
    let playback: Playback | null;
    try {
      playback = (await playHls(settings, listener)) ?? playNative(settings, listener);
    } catch {
      this.#tell({ name: 'lost', reason: null, words: 'The player could not be loaded.' });
      return;
    }
    if (this.#closed) playback?.close();
    else if (!playback) {
      const words = 'This browser plays no HLS.';
      this.#tell({ name: 'lost', reason: 'unsupported', words });
    } else {
      this.#playback = playback;
      this.#follow();
      if (this.#video) playback.attach(this.#video);
    }
  }

  async #failed({ status, unplayable, words }: PlaybackFailure): Promise<void> {
    if (!unplayable && mayBeBarred(status)) {
      const answer = await this.#passes.renew();
      if (answer.name === 'barred') return;
      const isStale = answer.name === 'granted' && answer.pass !== null;
      if (status === FORBIDDEN && !isStale) {
        this.#tell({ name: 'barred', why: 'unknown' });
        return;
      }
      // Whoever slept for an hour had an old pass.
      if (isStale && this.#resume()) return;
    }
    this.#tell({ name: 'lost', reason: unplayable ? 'codec' : null, words });
  }

  /** Once in a while: else the media does not follow what passes say. */
  #resume(): boolean {
    const now = performance.now();
    if (now - this.#resumedAt < RESUME_EVERY_MS) return false;
    this.#resumedAt = now;
    return this.#playback?.resume() ?? false;
  }

  #passed(answer: PassAnswer): void {
    if (answer.name === 'barred') this.#tell({ name: 'barred', why: answer.why });
    else if (answer.name === 'granted') this.#tell({ name: 'preview', leftMs: answer.previewMs });
  }

  #follow(): void {
    const layers = this.#playback?.layers ?? [];
    if (this.#soundOnly) return;
    const quality = fulfils(this.#wish, this.qualities);
    const index = layers.findIndex(({ rid }) => rid === quality?.id);
    this.#playback?.choose(index < 0 ? null : index);
    const pinned = index < 0 ? null : (layers[index]?.rid ?? null);
    if (pinned === this.pinned) return;
    this.pinned = pinned;
    this.#tell({ name: 'qualities' });
  }

  #seek(seconds: number): void {
    if (!this.#video) return;
    this.stalls.forget(performance.now());
    this.#video.currentTime = seconds;
    this.#seconds = seconds;
  }

  #attach(video: HTMLVideoElement): void {
    this.#video = video;
    const waiting = () => {
      if (this.#began && !video.seeking && !video.paused) this.stalls.began(performance.now());
    };
    const goesOn = () => this.stalls.ended(performance.now());
    const ended = () => this.#tell({ name: 'ended' });
    video.addEventListener('waiting', waiting);
    video.addEventListener('playing', goesOn);
    video.addEventListener('pause', goesOn);
    video.addEventListener('ended', ended);
    this.#unlisten = () => {
      video.removeEventListener('waiting', waiting);
      video.removeEventListener('playing', goesOn);
      video.removeEventListener('pause', goesOn);
      video.removeEventListener('ended', ended);
    };
    this.#playback?.attach(video);
  }

  #detach(): void {
    this.#unlisten();
    this.#video = null;
    this.#playback?.detach();
  }

  #stats(video: HTMLVideoElement, playback: Playback): PlayerStats {
    const now = performance.now();
    const quality = video.getVideoPlaybackQuality?.();
    const frames = quality?.totalVideoFrames ?? 0;
    const bytes = playback.bytes ?? 0;
    const before = this.#last ?? { at: now, frames, bytes };
    this.#last = { at: now, frames, bytes };
    const seconds = (now - before.at) / 1000;
    const layer = playback.layers[playback.current ?? -1];
    return {
      transport: playback.name,
      codec: playback.codec,
      decoder: null,
      width: video.videoWidth || null,
      height: video.videoHeight || null,
      fps: seconds > 0 ? (frames - before.frames) / seconds : null,
      bitrate: layer?.bitrate ?? (seconds > 0 ? ((bytes - before.bytes) * 8) / seconds : null),
      throughput: playback.throughput,
      loss: null,
      jitterMs: null,
      rttMs: null,
      bufferMs: buffered(video) * 1000,
      decodeMs: null,
      framesDecoded: frames,
      framesDropped: quality?.droppedVideoFrames ?? 0,
      packetsReceived: bytes,
      freezes: this.stalls.count,
      freezeMs: this.stalls.totalMs + this.stalls.stalledFor(now),
      latencyMs: this.latencyMs(),
      latencySource: 'playlist',
    };
  }
}

/** Seconds that can be played from here without a request. */
function buffered(video: HTMLVideoElement): number {
  const { buffered: ranges, currentTime } = video;
  for (let at = 0; at < ranges.length; at += 1) {
    if (ranges.start(at) <= currentTime + 0.1 && ranges.end(at) > currentTime)
      return ranges.end(at) - currentTime;
  }
  return 0;
}

/** The browser's own player tells nobody what the server said. */
function mayBeBarred(status: number | null): boolean {
  return status === null || status === FORBIDDEN;
}

const FORBIDDEN = 403;
const RESUME_EVERY_MS = 30_000;
/** So near to the end of a window there is nothing to play yet. */
const EDGE_S = 0.5;
const CLOCKS_AGREE_MS = 300;
/** From the camera to the playlist; more than this is a clock that is wrong. */
const MAX_PACKAGING_MS = 6000;
