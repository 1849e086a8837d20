/** The video element's side of the player: autoplay, sound, and what of it is remembered. */
import type { Store } from '../store';

export interface ScreenState {
  muted: boolean;
  /** 0–1 */
  volume: number;
  paused: boolean;
  /** The browser refused even muted playback: a tap must start it. */
  needsTap: boolean;
}

const VOLUME_KEY = 'tallylight.volume';

export function rememberedVolume(): number {
  try {
    const volume = Number.parseFloat(localStorage.getItem(VOLUME_KEY) ?? '');
    return volume > 0 && volume <= 1 ? volume : 1;
  } catch {
    return 1;
  }
}

export class Screen {
  readonly #store: Store<ScreenState>;
  #video: HTMLVideoElement | null = null;
  #stream: MediaStream | null = null;
  #onFrame: (() => void) | null = null;

  constructor(store: Store<ScreenState>) {
    this.#store = store;
  }

  attach(video: HTMLVideoElement): () => void {
    this.#video = video;
    video.playsInline = true;
    video.disableRemotePlayback = true;
    video.muted = this.#store.get().muted;
    video.volume = this.#store.get().volume;
    const onVolume = () => {
      this.#store.set({ muted: video.muted, volume: video.volume });
      remember(video.volume);
    };
    const onPaused = () => this.#store.set({ paused: video.paused });
    video.addEventListener('volumechange', onVolume);
    video.addEventListener('play', onPaused);
    video.addEventListener('pause', onPaused);
    this.show(this.#stream);
    return () => {
      video.removeEventListener('volumechange', onVolume);
      video.removeEventListener('play', onPaused);
      video.removeEventListener('pause', onPaused);
      video.srcObject = null;
      if (this.#video === video) this.#video = null;
    };
  }

  /** Shows a session's media; `onFrame` is told of its first picture. */
  show(stream: MediaStream | null, onFrame?: () => void): void {
    this.#stream = stream;
    if (onFrame) this.#onFrame = onFrame;
    const video = this.#video;
    if (!video || !stream) return;
    if (video.srcObject !== stream) video.srcObject = stream;
    video.requestVideoFrameCallback?.(() => {
      if (this.#stream === stream) this.#onFrame?.();
    });
    void this.play();
  }

  async play(): Promise<void> {
    const video = this.#video;
    if (!video) return;
    try {
      await video.play();
      this.#store.set({ paused: false, needsTap: false });
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotAllowedError') {
        // Sound was not allowed without a gesture: the picture still may be.
        if (video.muted) this.#store.set({ needsTap: true, paused: true });
        else {
          video.muted = true;
          await this.play();
        }
      }
    }
  }

  pause(): void {
    this.#video?.pause();
  }

  /** Asks the element itself: two clicks may come before the page has heard of the first. */
  toggle(): void {
    if (this.#video?.paused) void this.play();
    else this.pause();
  }

  /** Phones of Apple leave the volume to their own buttons: whatever is set, 1 is read back. */
  get canSetVolume(): boolean {
    const video = document.createElement('video');
    video.volume = 0.5;
    return video.volume === 0.5;
  }

  setMuted(muted: boolean): void {
    this.#store.set({ muted });
    if (!this.#video) return;
    this.#video.muted = muted;
    if (!muted && this.#video.volume === 0) this.#video.volume = 0.5;
    if (!muted) void this.play();
  }

  setVolume(volume: number): void {
    const clamped = Math.min(1, Math.max(0, volume));
    if (!this.#video) return;
    this.#video.volume = clamped;
    this.#video.muted = clamped === 0;
  }
}

function remember(volume: number): void {
  try {
    if (volume > 0) localStorage.setItem(VOLUME_KEY, String(volume));
  } catch {
    // Private windows may refuse storage; the volume then lasts for this page.
  }
}
