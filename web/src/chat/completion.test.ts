import { expect, test } from 'vitest';
import { accept, complete, type Known } from './completion';
import { SaidBefore } from './history';

const known: Known = {
  you: null,
  emotes: [{ code: 'firework', url: '/e', width: 28, height: 28, animated: false, tier: 0 }],
  names: ['Vic', 'victor', 'Ada'],
};

const labels = (text: string, tab = false) =>
  complete(text, text.length, known, tab)?.items.map(({ insert }) => insert) ?? [];

test('codes of emotes and emoji are completed, the channel’s own first', () => {
  expect(labels('so :fire')).toEqual([':firework:', '🔥']);
  expect(labels('so :f')).toEqual([]);
});

test('names are completed behind @, and by Tab without it', () => {
  expect(labels('hi @vi')).toEqual(['@Vic', '@victor']);
  expect(labels('ad')).toEqual([]);
  expect(labels('ad', true)).toEqual(['@Ada']);
});

test('commands are completed at the start alone', () => {
  expect(labels('/he')).toEqual(['/help']);
  expect(labels('see /he')).toEqual([]);
});

test('what is taken gets a space behind it, and the caret goes there', () => {
  const text = 'hi @vi there';
  const found = complete(text, 6, known);
  const [first] = found?.items ?? [];
  expect(found && first && accept(text, found, first)).toEqual({ text: 'hi @Vic there', caret: 8 });
});

test('ArrowUp fetches what was said, ArrowDown comes back to what was being typed', () => {
  const history = new SaidBefore();
  history.note('one');
  history.note('two');
  expect(history.back('dra')).toBe('two');
  expect(history.back('two')).toBe('one');
  expect(history.back('one')).toBeNull();
  expect(history.forward()).toBe('two');
  expect(history.forward()).toBe('dra');
  expect(history.forward()).toBeNull();
});
