import { expect, test } from 'vitest';
import { draw, inWords, remember, type Sample, scale, WINDOW_MS } from './bitrate';

const steady = (seconds: number, bitrate = 2_400_000): Sample[] =>
  Array.from({ length: seconds }, (_, second) => ({ at: second * 1000, bitrate }));

test('two minutes are remembered, and no answer twice', () => {
  let samples: Sample[] = [];
  for (const sample of steady(300)) samples = remember(samples, sample);
  const [first, last] = [samples[0]?.at ?? 0, samples.at(-1)?.at ?? 0];
  expect(last).toBe(299_000);
  expect(last - first).toBe(WINDOW_MS + 1000);
  expect(remember(samples, { at: 299_000, bitrate: 1 })).toBe(samples);
  expect(remember(samples, { at: 999_000, bitrate: 1 })).toEqual([{ at: 999_000, bitrate: 1 }]);
});

test('the scale ends at a round number above the highest', () => {
  const top = (bitrate: number) => scale([{ at: 0, bitrate }]);
  expect([0, 2_400_000, 3_000_000, 6_100_000, 8_000_000].map(top)).toEqual([
    100_000, 3_000_000, 3_000_000, 7_500_000, 10_000_000,
  ]);
});

test('the newest is at the right edge, and the highest stays inside', () => {
  const { line, area, top } = draw(
    [
      { at: 60_000, bitrate: 1_000_000 },
      { at: 62_000, bitrate: 2_000_000 },
      { at: 64_000, bitrate: 0 },
    ],
    120,
    40,
  );
  expect(top).toBe(2_000_000);
  expect(line).toBe('M116,20L118,0L120,40');
  expect(area).toBe('M116,40L116,20L118,0L120,40L120,40Z');
});

test('a time without answers is left open', () => {
  const samples = [...steady(10), ...steady(10).map(({ at, bitrate }) => ({ at: at + 30_000, bitrate }))];
  expect(draw(samples, 120, 40).line.match(/M/g)).toHaveLength(2);
  expect(draw([{ at: 0, bitrate: 5 }], 120, 40).line).toBe('');
});

test('it is told in words too', () => {
  expect(inWords([])).toBe('Bitrate: nothing yet');
  expect(inWords(steady(3))).toBe('Bitrate, last 2 minutes: 2.4 Mbit/s');
  const [one, two] = [steady(1, 2_100_000), steady(1, 2_600_000)];
  expect(inWords([...one, ...two])).toBe('Bitrate, last 2 minutes: 2.1 to 2.6 Mbit/s');
  expect(inWords([...one, ...steady(1, 400_000)])).toBe('Bitrate, last 2 minutes: 400 kbit/s to 2.1 Mbit/s');
});
