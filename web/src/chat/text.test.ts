import { expect, test } from 'vitest';
import { isOnlyEmoji, mentions, partsOf, readable } from './text';

const kinds = (text: string) =>
  partsOf(text, (code) => code === 'tally').map((part) => `${part.kind}:${part.text}`);

test('links, mentions and emotes are found in plain text', () => {
  expect(kinds('hi @ada, see https://example.org/a?b=c. :tally: :nothing:')).toEqual([
    'text:hi ',
    'mention:@ada',
    'text:, see ',
    'link:https://example.org/a?b=c',
    'text:. ',
    'emote::tally:',
    'text: :nothing:',
  ]);
  expect(kinds('(https://example.org/x)')).toEqual(['text:(', 'link:https://example.org/x', 'text:)']);
  expect(kinds('https://en.wikipedia.org/wiki/Ada_(name)')[0]).toBe(
    'link:https://en.wikipedia.org/wiki/Ada_(name)',
  );
});

test('short codes of emoji are written out', () => {
  expect(kinds('well :fire:')).toEqual(['text:well 🔥']);
});

test('nothing but http and https is a link, and an address is no mention', () => {
  for (const text of [
    'javascript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'https://',
    'http://<script>',
    'ada@example.org',
  ]) {
    expect(kinds(text).every((part) => part.startsWith('text:'))).toBe(true);
  }
});

test('markup stays text, to the letter', () => {
  const hostile = '<img src=x onerror=alert(1)>"\'&amp;<b>';
  expect(partsOf(hostile, () => true)).toEqual([{ kind: 'text', text: hostile }]);
});

test('signs that turn the direction of writing are left out', () => {
  expect(readable('abc\u202Egnp.exe\u2066\u200B')).toBe('abcgnp.exe');
  expect(readable('two\nlines\t here')).toBe('two lines here');
  expect(readable(`a${'\u0301'.repeat(40)}`)).toHaveLength(5);
});

test('a mention is one’s whole name, in any case', () => {
  expect(mentions('hello @Ada!', 'ada')).toBe(true);
  expect(mentions('hello @adam', 'ada')).toBe(false);
  expect(mentions('hello ada', 'ada')).toBe(false);
  expect(mentions('hello @ada', null)).toBe(false);
});

test('emoji alone are told from words and numbers', () => {
  expect(isOnlyEmoji('🔥 ❤️ 👨‍👩‍👧 👍🏽 🇩🇪')).toBe(true);
  expect(isOnlyEmoji('42')).toBe(false);
  expect(isOnlyEmoji('ok 🔥')).toBe(false);
});
