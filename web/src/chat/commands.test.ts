import { expect, test } from 'vitest';
import { commandsFor, parseCommand, readDuration } from './commands';
import type { You } from './protocol';

const you = (may_moderate: boolean): You => ({
  id: 'a',
  name: 'ada',
  role: may_moderate ? 'moderator' : 'viewer',
  may_write: true,
  may_moderate,
  restraint: null,
});

const command = (text: string) => {
  const parsed = parseCommand(text, you(true));
  return parsed?.kind === 'command' ? parsed.command : parsed;
};

test('what begins with no slash is said aloud', () => {
  expect(parseCommand('hello /ban', you(true))).toBeNull();
});

test('a time-out has a time and a reason, or the usual one', () => {
  expect(command('/timeout @bob 5m too loud')).toEqual({
    name: 'timeout',
    who: 'bob',
    seconds: 300,
    reason: 'too loud',
  });
  expect(command('/timeout bob too loud')).toMatchObject({ seconds: 600, reason: 'too loud' });
  expect(command('/timeout bob 90d')).toMatchObject({ seconds: 14 * 86_400 });
});

test('modes go on and off', () => {
  expect(command('/slow')).toEqual({ name: 'modes', modes: { slow_seconds: 10 } });
  expect(command('/slow off')).toEqual({ name: 'modes', modes: { slow_seconds: 0 } });
  expect(command('/followers 10')).toEqual({ name: 'modes', modes: { followers_minutes: 10 } });
  expect(command('/followers off')).toEqual({ name: 'modes', modes: { followers_minutes: null } });
  expect(command('/subscribers')).toEqual({ name: 'modes', modes: { members_only: true } });
  expect(command('/emoteonly off')).toEqual({ name: 'modes', modes: { emote_only: false } });
  expect(command('/links off')).toEqual({ name: 'modes', modes: { links_blocked: true } });
  expect(command('/shield off')).toEqual({ name: 'shield', on: false });
});

test('a poll has a question, two to six answers and a time', () => {
  expect(command('/poll Tea? | Yes | No | 2m')).toEqual({
    name: 'poll',
    question: 'Tea?',
    options: ['Yes', 'No'],
    seconds: 120,
  });
  expect(command('/poll Tea? | Yes')).toMatchObject({ kind: 'wrong' });
  expect(command('/poll How long? | 2m | 5m')).toMatchObject({ options: ['2m', '5m'], seconds: 120 });
});

test('an unknown or unfinished command is never said, and neither is one that one may not use', () => {
  expect(command('/dance')).toMatchObject({ kind: 'wrong' });
  expect(command('/ban')).toEqual({ kind: 'wrong', words: 'It is typed like this: /ban NAME [reason]' });
  expect(command('/warn bob')).toMatchObject({ kind: 'wrong' });
  expect(parseCommand('/ban bob', you(false))).toMatchObject({ kind: 'wrong' });
  expect(commandsFor(you(false)).map(({ names }) => names[0])).toEqual(['help']);
});

test('durations', () => {
  expect(['10s', '5m', '1h', '2d', '30'].map(readDuration)).toEqual([10, 300, 3600, 172_800, 30]);
  expect(['', '0', 'm', '-1', '5x'].map(readDuration)).toEqual([null, null, null, null, null]);
});
