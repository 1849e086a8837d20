import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Store } from '../store';
import { type Picture, Screen, type ScreenState } from './screen';

/** A source that is put in interrupts what was asked before, as in browsers. */
class LoadingVideo extends EventTarget {
  muted = false;
  volume = 1;
  paused = true;
  isConnected = true;
  plays = 0;
  #interrupt: ((why: DOMException) => void) | null = null;
  #start: (() => void) | null = null;

  play(): Promise<void> {
    this.plays += 1;
    this.paused = false;
    return new Promise((resolve, reject) => {
      this.#start = resolve;
      this.#interrupt = reject;
    });
  }

  load(): void {
    this.paused = true;
    this.#interrupt?.(new DOMException('a new load request', 'AbortError'));
  }

  pause(): void {
    this.paused = true;
    this.dispatchEvent(new Event('pause'));
    this.#interrupt?.(new DOMException('a call to pause()', 'AbortError'));
  }

  frame(): void {
    this.#start?.();
  }

  setAttribute(): void {}
  remove(): void {}
}

let video: LoadingVideo;
let screen: Screen;
const store = new Store<ScreenState>({ muted: true, volume: 1, paused: false, needsTap: false });
const picture: Picture = { attach: () => undefined, detach: () => undefined };
const settle = () => new Promise((resolve) => setTimeout(resolve));

beforeEach(() => {
  video = new LoadingVideo();
  vi.stubGlobal('document', { createElement: () => video });
  screen = new Screen(store);
  screen.attach({ append: () => undefined } as unknown as HTMLElement);
});

afterEach(() => vi.unstubAllGlobals());

test('a track that comes after the picture was asked for does not leave it standing', async () => {
  screen.show(picture, () => undefined);
  expect(video.plays).toBe(1);
  video.load();
  await settle();
  expect(video).toMatchObject({ plays: 2, paused: false });
  video.frame();
  await settle();
  expect(store.get()).toMatchObject({ paused: false, needsTap: false });
});

test('who pauses meanwhile is not played to', async () => {
  screen.show(picture, () => undefined);
  screen.pause();
  await settle();
  expect(video).toMatchObject({ plays: 1, paused: true });
});
