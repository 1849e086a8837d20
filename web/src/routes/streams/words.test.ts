import { expect, test } from 'vitest';
import { untilWords, wallClock } from './words';

test('the time left is finer the nearer it is', () => {
  const now = Date.parse('2026-05-01T12:00:00Z');
  const until = (at: string) => untilWords(at, now);
  expect(until('2026-05-03T15:30:00Z')).toBe('2 d 3 h');
  expect(until('2026-05-01T15:10:00Z')).toBe('3 h 10 min');
  expect(until('2026-05-01T12:09:59Z')).toBe('9:59');
  expect(until('2026-05-01T12:00:05Z')).toBe('0:05');
  expect(until('2026-05-01T11:00:00Z')).toBe('0:00');
});

test('a field holds the clocks of its zone', () => {
  expect(wallClock('2026-05-01T18:00:00Z', 'Europe/Berlin')).toBe('2026-05-01T20:00');
  expect(wallClock('2026-05-01T22:30:00Z', 'Europe/Berlin')).toBe('2026-05-02T00:30');
  expect(wallClock('2026-05-01T18:00:00Z', 'UTC')).toBe('2026-05-01T18:00');
});
