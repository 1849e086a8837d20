import { expect, test } from 'vitest';
import { ago, clock, duration } from './time';

test('clocks and distances read like people say them', () => {
  expect(clock(7000)).toBe('0:07');
  expect(clock(750_000)).toBe('12:30');
  expect(clock(3_723_000)).toBe('1:02:03');
  expect(duration(1000)).toBe('1 second');
  expect(duration(90_000)).toBe('90 seconds');
  expect(duration(1_800_000)).toBe('30 minutes');
  expect(clock(-5)).toBe('0:00');
  const now = Date.parse('2026-01-02T00:00:00Z');
  expect(ago('2026-01-01T23:57:00Z', now)).toBe('3 minutes ago');
  expect(ago('2026-01-01T00:00:00Z', now)).toBe('yesterday');
});
