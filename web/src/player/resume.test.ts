import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { keepPlace, momentText, parseMoment, resumePoint } from './resume';

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  });
});
afterEach(() => vi.unstubAllGlobals());

test('moments of links are read as they are written, and as people write them', () => {
  for (const seconds of [0, 59, 60, 3600, 3723, 86_399]) {
    expect(parseMoment(momentText(seconds))).toBe(seconds);
  }
  expect(parseMoment('90')).toBe(90);
  expect(parseMoment('2m')).toBe(120);
  for (const nonsense of ['', 'x', '-5', '1.5', '1s2m', '99999999999'])
    expect(parseMoment(nonsense)).toBeNull();
});

test('a place midway is kept, the beginning and the end are none', () => {
  keepPlace('a', 5, 100);
  expect(resumePoint('a')).toBeNull();
  keepPlace('a', 50.7, 100);
  expect(resumePoint('a')).toBe(50);
  keepPlace('a', 95, 100);
  expect(resumePoint('a')).toBeNull();
});

test('the fifty last recordings are remembered, and what others wrote there does no harm', () => {
  for (let at = 0; at < 60; at += 1) keepPlace(`r${at}`, 50, 100);
  expect(resumePoint('r59')).toBe(50);
  expect(resumePoint('r10')).toBe(50);
  expect(resumePoint('r9')).toBeNull();
  for (const rubbish of ['no json', '{}', '[1, ["x"], ["a", 7]]']) {
    localStorage.setItem('tallylight.resume', rubbish);
    expect(resumePoint('b')).toBeNull();
  }
  expect(resumePoint('a')).toBe(7);
});
