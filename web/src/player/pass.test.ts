import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { barredWhy, hasPass, type PassAnswer, Passes, withoutPass, withPass } from './pass';

test('the newest pass stands in the path of all that needs one', () => {
  const part = '/hls/ada/t0k-en.old_1/v0/12.m4s?_HLS_msn=4&x=a.b/c';
  expect(withPass(part, 'new-2')).toBe('/hls/ada/t0k-en.new-2/v0/12.m4s?_HLS_msn=4&x=a.b/c');
  expect(withPass('https://live.example:8443/vod/0189-ab.old/audio/index.m3u8', 'new')).toBe(
    'https://live.example:8443/vod/0189-ab.new/audio/index.m3u8',
  );
  expect(withPass('/hls/ada/t.old/v0/a.b/c.d/1.mp4', 'n')).toBe('/hls/ada/t.n/v0/a.b/c.d/1.mp4');
});

test('what is open to all is asked for as it stands', () => {
  for (const url of [
    '/hls/ada/index.m3u8',
    '/hls/ada/thumbnail.jpg',
    '/hls/ada/token/v0/index.m3u8',
    '/hls/ada/token/v0.old/index.m3u8',
    '/vod/0189-ab/index.m3u8',
    '/vod/0189-ab/v0/1.mp4',
    'https://cdn.example/other/hls/ada/t.old/1.mp4',
    '/api/streams/1/pass',
  ]) {
    expect(hasPass(url), url).toBe(false);
    expect(withPass(url, 'new')).toBe(url);
    expect(withoutPass(url)).toBe(url);
  }
});

test('a pass with signs that mean something to patterns is taken as it is', () => {
  expect(withPass('/vod/1.old/a.mp4', '$1-$&')).toBe('/vod/1.$1-$&/a.mp4');
});

test('two addresses of the same media are the same without their passes', () => {
  expect(withoutPass('http://host/hls/ada/t.one/v0/index.m3u8')).toBe(
    withoutPass('http://host/hls/ada/t.two/v0/index.m3u8'),
  );
});

test('a code that nobody knows is none', () => {
  expect(barredWhy('members_only')).toBe('members_only');
  expect(barredWhy('toString')).toBe('unknown');
  expect(barredWhy(undefined)).toBe('unknown');
});

let asked = 0;
let answer: () => Response;
let heard: PassAnswer[];
let passes: Passes;
const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1000);
const granted = (pass: string | null, renew: number | null = 60, preview: number | null = null) =>
  Response.json({ pass, renew_in_seconds: renew, preview_seconds: preview });

beforeEach(() => {
  vi.useFakeTimers();
  asked = 0;
  heard = [];
  answer = () => granted(`p${asked}`);
  vi.stubGlobal('fetch', async () => {
    asked += 1;
    return answer();
  });
  passes = new Passes(
    () => '/api/streams/1/pass',
    (said) => heard.push(said),
  );
});

afterEach(() => {
  passes.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const GATED = '/hls/ada/t.first/v0/1.mp4';

test('passes are asked for from the first gated request on, each in its time', async () => {
  expect(passes.address('/hls/ada/index.m3u8')).toBe('/hls/ada/index.m3u8');
  await seconds(100);
  expect(asked, 'nothing stands before it').toBe(0);
  expect(passes.address(GATED), 'the one of the playlist does at first').toBe(GATED);
  passes.address(GATED);
  await seconds(1);
  expect(asked).toBe(1);
  expect(passes.address(GATED)).toBe('/hls/ada/t.p1/v0/1.mp4');
  await seconds(60);
  expect(passes.address(GATED)).toBe('/hls/ada/t.p2/v0/1.mp4');
});

test('a server that is away is asked again, and the last pass is used meanwhile', async () => {
  passes.address(GATED);
  await seconds(1);
  answer = () => new Response('', { status: 502 });
  await seconds(60);
  expect(asked).toBe(2);
  expect(passes.address(GATED)).toBe('/hls/ada/t.p1/v0/1.mp4');
  answer = () => granted('back');
  await seconds(5);
  expect(passes.address(GATED)).toBe('/hls/ada/t.back/v0/1.mp4');
});

test('whoever may watch no longer is told once, and nothing is asked any more', async () => {
  passes.address(GATED);
  await seconds(1);
  answer = () => Response.json({ code: 'members_only' }, { status: 403 });
  await seconds(60);
  expect(heard.at(-1)).toEqual({ name: 'barred', why: 'members_only' });
  const before = asked;
  await seconds(600);
  expect(asked).toBe(before);
});

test('where the gate was taken away, nothing is renewed', async () => {
  answer = () => granted(null, null);
  passes.address(GATED);
  await seconds(600);
  expect(asked).toBe(1);
  expect(passes.address(GATED)).toBe(GATED);
});

test('what is left of a free look comes along', async () => {
  answer = () => granted('p', 10, 42);
  await passes.renew();
  expect(heard).toEqual([{ name: 'granted', pass: 'p', renewInMs: 10_000, previewMs: 42_000 }]);
});

test('after the close nobody is told, and nobody is asked', async () => {
  const late = passes.renew();
  passes.close();
  await late;
  await seconds(600);
  expect(heard).toEqual([]);
  expect(asked).toBe(1);
});

test('a server that says "at once" is not asked in a loop', async () => {
  answer = () => granted('p', 0);
  await passes.renew();
  await seconds(10);
  expect(asked).toBeLessThanOrEqual(11);
});
