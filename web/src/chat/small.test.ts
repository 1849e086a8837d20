import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Applause } from './applause';
import { backoffMs } from './backoff';
import { message } from './fakes';
import { hueOf, NAME_COLOURS } from './names';
import { readPreferences } from './preferences';
import { parseFrames } from './protocol';
import { burstsOf } from './reactions';
import { subjectByName, subjectOf } from './sender';
import { quoteText, spokenText } from './spoken';
import { pictureMs } from './sync';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('frames come alone or in arrays, and what is unknown or broken is skipped', () => {
  expect(parseFrames('{"type":"pong"}')).toEqual([{ type: 'pong' }]);
  const packet = JSON.stringify([
    { type: 'novelty' },
    null,
    7,
    { type: 'message', message: { id: 'x' } },
    { type: 'message', message: message(3) },
  ]);
  expect(parseFrames(packet)).toEqual([{ type: 'message', message: message(3) }]);
  for (const broken of ['', '{', 'null', '[[]]', new ArrayBuffer(3), undefined]) {
    expect(parseFrames(broken)).toEqual([]);
  }
});

test('a line of thanks says what for, and one for something unknown is skipped', () => {
  const said = (support: unknown, kind = 'support') => {
    const frame = { type: 'message', message: { ...message(3, { text: '' }), kind, support } };
    const [read] = parseFrames(JSON.stringify(frame));
    return read?.type === 'message' ? read.message : null;
  };
  const none = { tier: null, quantity: null, amount: null, currency: null, claim: null };
  expect(said({ what: 'gift', quantity: 5, claim: '0198' })?.support).toEqual({
    ...none,
    what: 'gift',
    quantity: 5,
    claim: '0198',
  });
  expect(said({ what: 'tip', amount: 700, currency: 'no currency' })?.support).toMatchObject({
    amount: 700,
    currency: null,
  });
  expect(said({ what: 'novelty' })).toBeNull();
  expect(said(null)).toBeNull();
  expect(said({ what: 'tip' }, 'text'), 'whatever a text has beside it').toMatchObject({
    kind: 'text',
    support: null,
  });
});

test('what is read out of a message has its writer, and of thanks what was given', () => {
  const none = { tier: null, quantity: null, amount: null, currency: null, claim: null };
  const tip = { ...none, what: 'tip' as const, amount: 700, currency: 'eur' };
  const spoken = (patch: Parameters<typeof message>[1]) => spokenText(message(1, patch), () => 'Friend');
  expect(spoken({ text: 'hello' })).toBe('vic: hello');
  expect(spoken({ text: 'play it again', support: tip })).toBe('vic tips €7.00: play it again');
  expect(spoken({ text: '', support: { ...none, what: 'membership', tier: 1 } })).toBe(
    'vic is a member now (Friend)',
  );
  expect(quoteText({ id: 1, name: 'vic', text: 'hello' })).toBe('vic: hello');
  expect(quoteText({ id: 1, name: 'vic', text: '' }), 'thanks without words').toBe('vic');
});

test('an emote whose picture is elsewhere is none', () => {
  const emotes = [
    { code: 'ok', url: '/images/a' },
    { code: 'bad', url: 'https://elsewhere/a' },
    { code: 'bad', url: '//elsewhere/a' },
  ];
  const [frame] = parseFrames(JSON.stringify({ type: 'emotes', emotes }));
  expect(frame).toMatchObject({ emotes: [{ code: 'ok', tier: 0 }] });
});

test('pauses between tries grow, and differ from reader to reader', () => {
  expect([0, 1, 2, 9, 40].map((attempt) => backoffMs(attempt, () => 1))).toEqual([
    1000, 2000, 4000, 30_000, 30_000,
  ]);
  expect(backoffMs(1, () => 0)).toBe(1000);
});

test('the moment of the picture, by the playlist or by how late it is', () => {
  const started = '2026-11-26T20:00:00Z';
  const now = Date.parse(started) + 60_000;
  expect(pictureMs({ wallMs: now - 6000 }, started, now + 99_000, 0)).toBe(54_000);
  expect(pictureMs({ behindMs: 400 }, started, now - 5000, 5000)).toBe(59_600);
  expect(pictureMs(null, started, now, 0)).toBeNull();
  expect(pictureMs({ behindMs: 1 }, null, now, 0)).toBeNull();
});

test('one’s own reaction is seen at once and not again, and ten a second go out', () => {
  const applause = new Applause();
  expect(applause.own('🔥', 0)).toBe(true);
  expect(applause.own('🔥', 50)).toBe(false);
  expect(applause.own('🔥', 100)).toBe(true);
  expect(applause.store.get().lately).toEqual({ '🔥': 2 });
  applause.others({ '🔥': 3, '❤': 1 }, 300);
  expect(applause.store.get().lately).toEqual({ '🔥': 3, '❤': 1 });
  applause.look(9000);
  expect(applause.store.get()).toEqual({ bursts: [], lately: {} });
});

test('of a crowd as many are drawn as a screen can hold', () => {
  expect(burstsOf({ '🔥': 3 })).toHaveLength(3);
  const many = burstsOf({ '🔥': 900, '❤': 100 });
  expect(many.length).toBeLessThanOrEqual(12);
  expect(many.some(({ emoji }) => emoji === '❤')).toBe(true);
  expect(many.every(({ x }) => x > 0 && x < 1)).toBe(true);
});

test('guests and accounts are moderated by their id, and by name where one is typed', () => {
  const guest = { id: 'guest-abc', name: 'Nora', avatar: null, badges: [] };
  const account = { id: '0198', name: 'vic', avatar: null, badges: [] };
  expect([subjectOf(guest), subjectOf(account)]).toEqual(['guest-abc', '0198']);
  expect(subjectByName('nora', [account, guest])).toBe('guest-abc');
  expect(subjectByName('VIC', [account, guest])).toBe('0198');
  expect(subjectByName('stranger', [account, guest])).toBe('stranger');
});

test('the next page remembers what was preferred', async () => {
  vi.stubGlobal('localStorage', { getItem: () => '{"open":false,"size":"large"}' });
  vi.resetModules();
  const { preferences } = await import('./preferences');
  expect(preferences.get()).toMatchObject({ open: false, size: 'large', sync: true });
  vi.unstubAllGlobals();
});

test('preferences that were kept are taken as far as they make sense', () => {
  expect(readPreferences({ sync: false, size: 'huge', announce: 'all', times: 'yes' })).toEqual({
    sync: false,
    announce: 'all',
    times: false,
    size: 'medium',
    open: true,
  });
});

/** WCAG 2: of the colours as a screen shows them. */
function contrast(a: number[], b: number[]): number {
  const light = (rgb: number[]) => 0.2126 * (rgb[0] ?? 0) + 0.7152 * (rgb[1] ?? 0) + 0.0722 * (rgb[2] ?? 0);
  const [high = 0, low = 0] = [light(a), light(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

/** Linear sRGB of an OKLCH colour, cut to what a screen can show. */
function linear(lightness: number, chroma: number, hue: number): number[] {
  const [a, b] = [chroma * Math.cos((hue * Math.PI) / 180), chroma * Math.sin((hue * Math.PI) / 180)];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((value) => Math.min(1, Math.max(0, value)));
}

test('every name can be read on every surface, in both themes', () => {
  const surfaces = { dark: [0.16, 0.2, 0.26], light: [0.972, 1, 0.945] };
  for (let at = 0; at < 400; at += 1) {
    const hue = hueOf(`viewer${at}`);
    for (const theme of ['dark', 'light'] as const) {
      const { lightness, chroma } = NAME_COLOURS[theme];
      for (const surface of surfaces[theme]) {
        expect(contrast(linear(lightness, chroma, hue), linear(surface, 0.01, 265))).toBeGreaterThan(4.5);
      }
    }
  }
  expect(hueOf('Ada')).toBe(hueOf('ada'));
});
