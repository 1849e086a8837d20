import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeHls, FakeVideo, stubWorld, type World } from './fakes';
import { playHls } from './hls_js';
import { Passes } from './pass';
import type { PlaybackFailure } from './playback';

vi.mock('hls.js', () => ({ default: FakeHls }));

let world: World;
let video: FakeVideo;
let library: FakeHls;
let failures: PlaybackFailure[];

beforeEach(async () => {
  world = stubWorld();
  video = new FakeVideo(world);
  const passes = new Passes(
    () => null,
    () => undefined,
  );
  const settings = { url: '/hls/ada/index.m3u8', pace: 'low', at: null, soundOnly: false, passes } as const;
  failures = [];
  const failed = (failure: PlaybackFailure) => failures.push(failure);
  const playback = await playHls(settings, { layers: () => undefined, failed });
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

/** A request for media that fails. */
const failing = (code: number, fatal = false, url = 'http://cdn/v0/1.m4s') => ({
  fatal,
  type: 'networkError',
  details: 'fragLoadError',
  frag: { url },
  response: { url, code },
  error: new Error('HTTP error'),
});

/** As a playlist that lists two CDNs leaves the library. */
const atTwo = () => {
  library.pathways = ['cdn1', 'cdn2'];
  for (const level of library.levels) level.pathwayId = 'cdn1';
  library.emit('parsed', {});
};

test('a CDN is left at its first error, and the next not for what is still asked of it', () => {
  const [first, second] = ['http://cdn1/v0/1.m4s', 'http://cdn2/v0/1.m4s'];
  atTwo();
  library.emit('error', failing(503, false, first));
  expect(library.pathwayPriority).toEqual(['cdn2', 'cdn1']);
  for (const level of library.levels) level.pathwayId = 'cdn2';
  // The sound goes over later than the picture.
  library.emit('error', failing(503, false, first));
  expect(library.pathwayPriority).toEqual(['cdn2', 'cdn1']);
  library.emit('error', failing(503, false, second));
  expect(library.pathwayPriority).toEqual(['cdn1', 'cdn2']);
  expect(failures).toEqual([]);
});

test('a part is asked of the CDN in its own address, be its segment complete or not', () => {
  atTwo();
  const part = { url: 'http://cdn1/audio/5.5.m4s' };
  library.emit('error', { ...failing(0, false, ''), part });
  for (const level of library.levels) level.pathwayId = 'cdn2';
  library.emit('error', failing(0, false, 'http://cdn1/v0/5.m4s'));
  expect(library.pathwayPriority).toEqual(['cdn2', 'cdn1']);
});

test('a CDN that works again, and fails again, is left again', () => {
  const first = 'http://cdn1/v0/1.m4s';
  atTwo();
  library.emit('error', failing(503, false, first));
  library.pathwayPriority = null;
  library.emit('fragment', { frag: { url: first, stats: { loaded: 1 } } });
  library.emit('error', failing(503, false, first));
  expect(library.pathwayPriority).toEqual(['cdn2', 'cdn1']);
});

/** As the library tells it: a part is loaded once it is known what is in it. */
const playlist = (url: string, loaded: boolean[]) => ({
  url,
  partList: loaded.map((isLoaded, index) => ({
    fragment: { sn: 5 },
    index,
    elementaryStreams: isLoaded ? { audio: { startPTS: index } } : {},
    get loaded(): boolean {
      return 'audio' in this.elementaryStreams;
    },
  })),
});

test('parts that came from the CDN that was left count as loaded at the next, of the same rendition', () => {
  atTwo();
  const loadedOf = ({ partList }: ReturnType<typeof playlist>) => partList.map(({ loaded }) => loaded);
  const before = playlist('http://host/t/audio/index.cdn1.m3u8?_HLS_msn=5', [true, true, false]);
  library.emit('sound', { details: before });
  const picture = playlist('http://host/t/v0/index.cdn2.m3u8', [false, false]);
  library.emit('level', { details: picture });
  const after = playlist('http://host/t/audio/index.cdn2.m3u8', [false, false, false, false]);
  library.emit('sound', { details: after });
  expect(loadedOf(picture)).toEqual([false, false]);
  expect(loadedOf(after)).toEqual([true, true, false, false]);
  expect(after.partList[1]?.elementaryStreams).toEqual({ audio: { startPTS: 1 } });
});

test('the only way to the media is never left', () => {
  library.emit('error', failing(503));
  expect(library.pathwayPriority).toBeNull();
  expect(library.config.fragLoadPolicy).toBeUndefined();
});

test("a CDN's refusal bars nobody, the server's does", () => {
  atTwo();
  library.emit('error', failing(403));
  expect(failures).toEqual([]);
  library.emit('error', failing(403, true));
  library.emit('error', failing(403, false, 'http://host/v0/1.m4s'));
  expect(failures.map(({ status }) => status)).toEqual([0, 403]);
});

test('a refusal is of who answered, whom the server may have sent the request to', () => {
  const answered = (responseURL: string, fatal = false) => ({
    ...failing(403, fatal, 'http://host/v0/1.m4s'),
    networkDetails: { responseURL },
  });
  library.emit('error', answered('http://bucket/v0/1.m4s'));
  expect(failures).toEqual([]);
  library.emit('error', answered('http://bucket/v0/1.m4s', true));
  library.emit('error', answered('http://host/v0/1.m4s'));
  expect(failures.map(({ status }) => status)).toEqual([0, 403]);
});

test('where nobody is known to have answered, it is who was asked', () => {
  library.emit('error', {
    ...failing(403, false, 'http://host/v0/1.m4s'),
    networkDetails: { responseURL: '' },
  });
  expect(failures.map(({ status }) => status)).toEqual([403]);
});
