import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Presence } from './presence';

let sent: Record<string, unknown>[];

beforeEach(() => {
  sent = [];
  const kept = new Map<string, string>();
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  });
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    sent.push({ url, keepalive: init.keepalive, ...JSON.parse(String(init.body)) });
    return new Response(null, { status: 204 });
  });
});

afterEach(() => vi.unstubAllGlobals());

test('a heartbeat is sent at once and every half minute', () => {
  const presence = new Presence('ada');
  const watching = { transport: 'webrtc', session: 'a'.repeat(32) } as const;
  for (let ms = 0; ms <= 60_000; ms += 1000) presence.see({ ...watching }, ms);
  expect(sent).toHaveLength(3);
  expect(sent[0]).toMatchObject({ url: '/api/channels/ada/presence', ...watching, leaving: false });
  expect(sent[0]?.viewer).toMatch(/^[0-9a-f]{32}$/);
});

test('another session or transport is told at once, as the same viewer', () => {
  const presence = new Presence('ada');
  presence.see({ transport: 'webrtc', session: 'a' }, 0);
  presence.see({ transport: 'webrtc', session: 'b' }, 10);
  presence.see({ transport: 'll_hls', session: null }, 20);
  presence.see({ transport: 'll_hls', session: null }, 30);
  expect(sent.map(({ transport, session }) => [transport, session])).toEqual([
    ['webrtc', 'a'],
    ['webrtc', 'b'],
    ['ll_hls', null],
  ]);
  expect(new Set(sent.map(({ viewer }) => viewer)).size).toBe(1);
});

test('a reload is the same viewer, another tab is not', () => {
  new Presence('ada').see({ transport: 'hls', session: null }, 0);
  new Presence('ada').see({ transport: 'hls', session: null }, 0);
  vi.stubGlobal('sessionStorage', undefined);
  new Presence('ada').see({ transport: 'hls', session: null }, 0);
  const viewers = sent.map(({ viewer }) => viewer);
  expect(viewers[0]).toBe(viewers[1]);
  expect(viewers[2]).not.toBe(viewers[0]);
});

test('goodbye is said once, by a page that closes, and only where something was said before', () => {
  const presence = new Presence('ada');
  presence.leave();
  expect(sent).toEqual([]);
  presence.see({ transport: 'hls', session: null }, 0);
  presence.see(null, 100);
  presence.leave();
  presence.leave();
  expect(sent).toHaveLength(2);
  expect(sent[1]).toMatchObject({ leaving: true, keepalive: true });
});
