/**
 * The video elements of a player: autoplay, sound, and what of it is remembered. One is in front; while
 * another picture gets ready behind it there are two, so that a change shows no black.
 */
import type { Store } from '../store';

export interface ScreenState {
  muted: boolean;
  /** 0–1 */
  volume: number;
  paused: boolean;
  /** The browser refused even muted playback: a tap must start it. */
  needsTap: boolean;
}

/** What can be put into a video element, and taken out again. */
export interface Picture {
  attach(video: HTMLVideoElement): void;
  detach(video: HTMLVideoElement): void;
}

interface Surface {
  picture: Picture;
  onFrame: () => void;
  /** It is to stand still at its first frame. */
  still: boolean;
  video: HTMLVideoElement | null;
}

interface AppleVideo extends HTMLVideoElement {
  webkitDisplayingFullscreen?: boolean;
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
  #host: HTMLElement | null = null;
  #video: HTMLVideoElement | null = null;
  #front: Surface | null = null;
  #back: Surface | null = null;
  /** It is to play, whatever the element does while its source is changed. */
  #wanted = false;
  #unlisten: () => void = () => undefined;

  constructor(store: Store<ScreenState>) {
    this.#store = store;
  }

  /** The element in front; `null` before the page is there. */
  get video(): HTMLVideoElement | null {
    return this.#video;
  }

  attach(host: HTMLElement): () => void {
    this.#host = host;
    this.#put(this.#newVideo());
    if (this.#front) this.#showIn(this.#front, this.#video);
    if (this.#back) this.#openBack(this.#back);
    return () => {
      this.cancel();
      this.#clear();
      this.#unlisten();
      this.#video?.remove();
      this.#video = null;
      this.#host = null;
    };
  }

  /** Shows a picture at once, in place of the one before; `onFrame` is told of its first frame. */
  show(picture: Picture, onFrame: () => void): void {
    this.#clear();
    this.#front = { picture, onFrame, still: false, video: null };
    if (this.#video) this.#showIn(this.#front, this.#video);
  }

  /** Gets a picture ready behind the one in front, without sound. */
  prepare(picture: Picture, onFrame: () => void, still = false): void {
    this.cancel();
    this.#back = { picture, onFrame, still, video: null };
    if (this.#host) this.#openBack(this.#back);
  }

  /** Puts the prepared picture in front. */
  commit(): void {
    const back = this.#back;
    if (!back) return;
    this.#back = null;
    const before = this.#video as AppleVideo | null;
    if (!before || !back.video) {
      this.#front = back;
      return;
    }
    if (before.webkitDisplayingFullscreen) {
      // The full screen of a phone shows one element and no other.
      back.picture.detach(back.video);
      back.video.remove();
      this.#clear();
      this.#front = back;
      this.#showIn(back, before);
      return;
    }
    const inPip = document.pictureInPictureElement === before;
    this.#unlisten();
    this.#put(back.video);
    back.video.removeAttribute('data-behind');
    back.video.volume = this.#store.get().volume;
    back.video.muted = this.#store.get().muted;
    this.#front?.picture.detach(before);
    this.#front = back;
    const gone = () => before.remove();
    if (inPip) back.video.requestPictureInPicture?.().then(gone, gone);
    else gone();
    if (back.still) this.#store.set({ paused: true });
    else void this.play();
  }

  /** Drops what was being prepared. */
  cancel(): void {
    const back = this.#back;
    this.#back = null;
    if (!back?.video) return;
    back.picture.detach(back.video);
    back.video.remove();
  }

  async play(): Promise<void> {
    const video = this.#video;
    if (!video) return;
    this.#wanted = true;
    try {
      await played(video, () => this.#wanted && video === this.#video);
      this.#store.set({ paused: false, needsTap: false });
    } catch (error) {
      if (video === this.#video && error instanceof DOMException && error.name === 'NotAllowedError') {
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
    this.#wanted = false;
    this.#video?.pause();
  }

  /** Asked of the element itself: two clicks may come before the page has heard of the first. */
  get paused(): boolean {
    return this.#video?.paused ?? false;
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
    if (!muted && !this.#video.paused) void this.play();
  }

  setVolume(volume: number): void {
    const clamped = Math.min(1, Math.max(0, volume));
    if (!this.#video) return;
    this.#video.volume = clamped;
    this.#video.muted = clamped === 0;
  }

  #newVideo(): HTMLVideoElement {
    const video = document.createElement('video');
    video.playsInline = true;
    video.disableRemotePlayback = true;
    video.tabIndex = -1;
    video.muted = this.#store.get().muted;
    video.volume = this.#store.get().volume;
    return video;
  }

  /** Makes an element the one in front, and hears of what is done to it. */
  #put(video: HTMLVideoElement): void {
    this.#video = video;
    if (!video.isConnected) this.#host?.append(video);
    const onVolume = () => {
      this.#store.set({ muted: video.muted, volume: video.volume });
      remember(video.volume);
    };
    const onPaused = () => {
      // The browser's own buttons pause it, too.
      if (video.paused) this.#wanted = false;
      this.#store.set({ paused: video.paused });
    };
    video.addEventListener('volumechange', onVolume);
    video.addEventListener('play', onPaused);
    video.addEventListener('pause', onPaused);
    this.#unlisten = () => {
      video.removeEventListener('volumechange', onVolume);
      video.removeEventListener('play', onPaused);
      video.removeEventListener('pause', onPaused);
    };
  }

  #clear(): void {
    if (this.#front && this.#video) this.#front.picture.detach(this.#video);
  }

  #showIn(surface: Surface, video: HTMLVideoElement | null): void {
    if (!video) return;
    surface.video = video;
    surface.picture.attach(video);
    tellFrame(surface, video);
    if (!surface.still) void this.play();
  }

  #openBack(surface: Surface): void {
    const video = this.#newVideo();
    video.muted = true;
    video.setAttribute('data-behind', '');
    this.#host?.append(video);
    surface.video = video;
    surface.picture.attach(video);
    tellFrame(surface, video);
    if (!surface.still) void played(video, () => surface === this.#back).catch(() => undefined);
  }
}

/**
 * Plays. A source that is put into the element meanwhile interrupts that, and nobody would begin anew: the
 * first track of a session comes some milliseconds after the page has asked for its picture.
 */
async function played(video: HTMLVideoElement, isWanted: () => boolean): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await video.play();
    } catch (error) {
      const isInterrupted = error instanceof DOMException && error.name === 'AbortError';
      if (!isInterrupted || !isWanted() || tries >= MOST_TRIES) throw error;
    }
  }
}

const MOST_TRIES = 20;

function tellFrame(surface: Surface, video: HTMLVideoElement): void {
  video.requestVideoFrameCallback?.(() => {
    if (surface.video === video) surface.onFrame();
  });
}

function remember(volume: number): void {
  try {
    if (volume > 0) localStorage.setItem(VOLUME_KEY, String(volume));
  } catch {
    // Private windows may refuse storage; the volume then lasts for this page.
  }
}
