import { expect, test, vi } from 'vitest';
import { entryOf, isLetIn, previewLeft } from './channel';
import { fetchVariants } from './variants';

test('what stands before a stream is read, and nothing is read into it', () => {
  expect(entryOf(null)).toBeNull();
  expect(entryOf({})).toBeNull();
  expect(entryOf({ access: 'members', tier: 2, is_of_channel: false, preview_seconds: 42 })).toEqual({
    access: 'members',
    tier: 2,
    isOfChannel: false,
    previewMs: 42_000,
  });
  expect(entryOf({ access: 'members', preview_seconds: 0 })?.previewMs, 'used up').toBeNull();
});

test('a free look lets in, and only whoever needs it has one', () => {
  const entry = (access: 'members' | 'granted', seconds: number | null) =>
    entryOf({ access, preview_seconds: seconds });
  expect(isLetIn({ access: 'granted', entry: null })).toBe(true);
  expect(isLetIn({ access: 'granted', entry: entry('members', null) })).toBe(false);
  expect(isLetIn({ access: 'granted', entry: entry('members', 30) })).toBe(true);
  expect(isLetIn({ access: 'banned', entry: entry('members', 30) })).toBe(false);
  expect(previewLeft(entry('members', 30))).toBe(30_000);
  expect(previewLeft(entry('granted', 30))).toBeNull();
});

test('renditions are the same ones whatever pass they are listed with', async () => {
  let pass = 'one';
  vi.stubGlobal('fetch', async () => {
    const playlist = `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1280x720\ntoken.${pass}/v0/index.m3u8\n`;
    const response = new Response(playlist);
    Object.defineProperty(response, 'url', { value: 'http://host/hls/ada/index.m3u8' });
    return response;
  });
  const before = await fetchVariants('/hls/ada/index.m3u8');
  pass = 'two';
  expect(before).toEqual(['http://host/hls/ada/token/v0/index.m3u8']);
  expect(await fetchVariants('/hls/ada/index.m3u8')).toEqual(before);
  vi.unstubAllGlobals();
});
