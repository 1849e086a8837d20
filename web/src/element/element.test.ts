import { expect, test } from 'vitest';
import { accentOf, originOf, startOf } from './options';
import { NOTHING } from './view';
import { untilWords, wordsFor } from './words';

test('colours, moments and servers are read, and nothing else is', () => {
  expect(accentOf('#AABBCC')).toBe('#aabbcc');
  expect(accentOf('abc')).toBe('#abc');
  for (const none of [null, '', 'red', '#12', 'url(x)', '#abcdef; x']) expect(accentOf(none)).toBeNull();
  expect(startOf('1m30s')).toBe(90);
  expect(startOf('soon')).toBeNull();
  expect(originOf('https://live.example/x', 'https://blog.example')).toBe('https://live.example');
  expect(originOf('https://live.example', 'https://live.example')).toBe('');
  for (const none of [null, '', 'live.example', 'javascript:alert(1)']) expect(originOf(none, 'x')).toBe('');
});

test('every state that is not the picture has words', () => {
  const states = [
    'connecting',
    'reconnecting',
    'host_reconnecting',
    'offline',
    'not_found',
    'server_full',
  ] as const;
  for (const state of [...states, 'unsupported', 'failed'] as const) {
    for (const isLive of [true, false]) {
      expect(wordsFor({ ...NOTHING, state }, isLive, 0)?.title, state).toBeTruthy();
    }
  }
  const next = { title: 'Friday in the lab', at: '2026-11-26T14:05:00Z' };
  const now = Date.parse('2026-11-26T12:00:00Z');
  const words = wordsFor({ ...NOTHING, state: 'offline', title: 'Ada', next }, true, now);
  expect(words?.title).toBe('Ada is offline');
  expect(words?.text).toMatch(/^Next: Friday in the lab, .*\(in 2 h 5 min\)\.$/);
});

test('what is not open to whoever watches says where it is', () => {
  for (const by of ['password', 'members'] as const) {
    const lock = { by, of: 'channel', tier: null, ended: null } as const;
    const words = wordsFor({ ...NOTHING, state: 'failed', lock }, true, 0);
    expect(words?.title).toContain(by);
    expect(words?.action).toBe('watch');
    expect(wordsFor({ ...NOTHING, state: 'playing', lock }, true, 0)).toBeNull();
    const over = { ...lock, of: 'recording', ended: 'preview' } as const;
    const after = wordsFor({ ...NOTHING, state: 'ended', lock: over }, false, 0);
    expect(after?.title).toBe('The free preview is over');
    expect(after?.text).toContain(by);
  }
  const unknown = wordsFor({ ...NOTHING, state: 'failed', lock: 'unknown' }, true, 0);
  expect(unknown?.action).toBe('page');
});

test('how long it takes is told in few words', () => {
  const minute = 60_000;
  expect([10, minute * 59, minute * 120, minute * 125, minute * 60 * 72].map(untilWords)).toEqual([
    'in a minute',
    'in 59 min',
    'in 2 h',
    'in 2 h 5 min',
    'in 3 days',
  ]);
});
