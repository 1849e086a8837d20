import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeHls, FakeVideo, stubWorld, type World } from './fakes';
import { playHls } from './hls_js';
import { Passes } from './pass';

vi.mock('hls.js', () => ({ default: FakeHls }));

let world: World;
let video: FakeVideo;
let library: FakeHls;

beforeEach(async () => {
  world = stubWorld();
  video = new FakeVideo(world);
  const passes = new Passes(
    () => null,
    () => undefined,
  );
  const settings = { url: '/hls/ada/index.m3u8', pace: 'low', at: null, soundOnly: false, passes } as const;
  const playback = await playHls(settings, { layers: () => undefined, failed: () => undefined });
  playback?.attach(video as unknown as HTMLVideoElement);
  library = world.libraries[0] as FakeHls;
  library.startPosition = 8.5;
  video.currentTime = 0;
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const appended = (start: number, end: number) => {
  video.buffered = { length: 1, start: () => start, end: () => end };
  library.emit('appended', {});
};

test('the picture waits for the part that holds its start, and for no other', () => {
  appended(8, 8.3);
  expect(video.currentTime).toBe(0);
  appended(8, 8.6);
  expect(video.currentTime).toBe(8.5);
});

test('whoever goes back before the start is not pulled forward again', () => {
  appended(8, 9);
  video.currentTime = 8.1;
  appended(8, 9.5);
  expect(video.currentTime).toBe(8.1);
});

test('a start that the library found by itself is left alone', () => {
  video.currentTime = 8.9;
  appended(8.7, 9);
  video.currentTime = 0;
  appended(8, 9);
  expect(video.currentTime).toBe(0);
});
