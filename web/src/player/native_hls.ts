/** Playback by the browser itself, where there are no media source extensions (iPhones before iOS 17.1). */
import type { Playback, PlaybackListener, PlaybackSettings } from './playback';

/** `null` where the browser plays no HLS. */
export function playNative(settings: PlaybackSettings, listener: PlaybackListener): Playback | null {
  const probe = document.createElement('video');
  if (!probe.canPlayType('application/vnd.apple.mpegurl')) return null;
  return new NativeHls(settings, listener);
}

interface DatedVideo extends HTMLVideoElement {
  getStartDate?: () => Date;
}

class NativeHls implements Playback {
  readonly name = 'the browser';
  readonly layers = [];
  readonly current = null;
  readonly throughput = null;
  readonly bytes = null;
  readonly codec = null;

  readonly #settings: PlaybackSettings;
  readonly #listener: PlaybackListener;
  #video: DatedVideo | null = null;
  #unlisten: () => void = () => undefined;

  constructor(settings: PlaybackSettings, listener: PlaybackListener) {
    this.#settings = settings;
    this.#listener = listener;
  }

  attach(video: HTMLVideoElement): void {
    this.#video = video;
    const { at, url } = this.#settings;
    const loaded = () => {
      const seconds = at && ('seconds' in at ? at.seconds : this.seconds(at.wallMs));
      if (seconds !== null) video.currentTime = seconds;
      this.#listener.layers();
    };
    const failed = () => {
      if (!video.error) return;
      const unplayable = video.error.code === MediaError.MEDIA_ERR_DECODE;
      this.#listener.failed({ status: null, unplayable, words: 'The browser cannot play the stream.' });
    };
    video.addEventListener('loadedmetadata', loaded);
    video.addEventListener('error', failed);
    this.#unlisten = () => {
      video.removeEventListener('loadedmetadata', loaded);
      video.removeEventListener('error', failed);
    };
    // It tells nobody what it asks for: this only looks whether there still is a pass.
    void this.#settings.passes.renew();
    video.src = url;
  }

  detach(): void {
    this.#unlisten();
    this.#video?.removeAttribute('src');
    this.#video?.load();
    this.#video = null;
  }

  /** The browser chooses its quality and its distance from the edge alone. */
  choose(): void {}
  setPace(): void {}

  liveSeconds(): number | null {
    const window = this.window();
    return window && Math.max(window.start, window.end - 3);
  }

  latencyMs(): number | null {
    const window = this.window();
    if (!window || !this.#video || this.#settings.pace === 'recording') return null;
    return (window.end - this.#video.currentTime) * 1000;
  }

  window(): { start: number; end: number } | null {
    const ranges = this.#video?.seekable;
    if (!ranges || ranges.length === 0) return null;
    return { start: ranges.start(0), end: ranges.end(ranges.length - 1) };
  }

  wall(seconds: number): number | null {
    const start = this.#startMs();
    return start === null ? null : start + seconds * 1000;
  }

  seconds(wallMs: number): number | null {
    const start = this.#startMs();
    return start === null ? null : (wallMs - start) / 1000;
  }

  /** It asks with the pass that it began with. */
  resume(): false {
    return false;
  }

  close(): void {
    this.detach();
  }

  #startMs(): number | null {
    const start = this.#video?.getStartDate?.().getTime();
    return start === undefined || Number.isNaN(start) ? null : start;
  }
}
