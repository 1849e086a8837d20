import { expect, test } from 'vitest';
import { behindWords, durationWords, mediaTime, stretchesOf, wallTime } from './timeline';

const T = Date.parse('2026-11-26T10:00:00Z');

/** Six seconds, then a gap of a minute, then four seconds. */
const STRETCHES = [
  { start: 10, duration: 2, programDateTime: T },
  { start: 12, duration: 4, programDateTime: T + 2000 },
  { start: 16, duration: 4, programDateTime: T + 66_000 },
];

test('wall time and media time lead to each other, across a gap too', () => {
  for (const seconds of [10, 11.5, 12, 15.999, 16, 19, 25]) {
    expect(mediaTime(STRETCHES, wallTime(STRETCHES, seconds) ?? 0)).toBeCloseTo(seconds, 6);
  }
  expect(wallTime(STRETCHES, 15)).toBe(T + 5000);
  expect(wallTime(STRETCHES, 17)).toBe(T + 67_000);
});

test('what fell into a gap, or came before everything, plays at the nearest moment', () => {
  expect(mediaTime(STRETCHES, T + 30_000)).toBe(16);
  expect(mediaTime(STRETCHES, T - 30_000)).toBe(10);
  expect(mediaTime([], T)).toBeNull();
  expect(wallTime([{ start: 0, duration: 1, programDateTime: null }], 0)).toBeNull();
});

test('a media playlist tells the same, whether it dates every segment or the first of a run', () => {
  const playlist = `#EXTM3U
#EXT-X-PROGRAM-DATE-TIME:2026-11-26T10:00:00.000Z
#EXTINF:2.00000,
0.m4s
#EXTINF:4.00000,
1.m4s
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-11-26T10:01:06.000Z
#EXTINF:4.00000,
2.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-26T10:01:10.000Z
#EXT-X-PART:DURATION=0.3,URI="3.0.m4s"
`;
  expect(stretchesOf(playlist)).toEqual(
    STRETCHES.map((stretch) => ({ ...stretch, start: stretch.start - 10 })),
  );
});

test('a position is read out in words', () => {
  expect(behindWords(900)).toBe('live');
  expect(behindWords(80_400)).toBe('1 minute 20 seconds behind live');
  expect(durationWords(3601)).toBe('1 hour 1 second');
  expect(durationWords(0)).toBe('0 seconds');
});
