import { expect, test } from 'vitest';
import { audienceText, badgeText, lookText, wholeAudience } from './words';

test('a badge says in a word whom it is for, and nothing of what is open', () => {
  expect(badgeText({ who: 'everyone', tier: null })).toBeNull();
  expect(badgeText({ who: 'members', tier: 1 })).toBe('Members');
  expect(badgeText({ who: 'members', tier: 2 })).toBe('Tier 2+');
  expect(badgeText({ who: 'ticket', tier: null })).toBe('Ticket');
  expect(badgeText({ who: 'followers', tier: null })).toBe('Followers');
  expect(badgeText({ who: 'password', tier: null })).toBe('Password');
});

test('a creator reads who may watch', () => {
  expect(audienceText({ who: 'everyone' })).toBe('Everyone');
  expect(audienceText({ who: 'members', tier: 1 })).toBe('Members');
  expect(audienceText({ who: 'members', tier: 3 })).toBe('Members from tier 3');
  expect(audienceText({ who: 'ticket' })).toBe('Ticket holders');
});

test('what the channel asks for is part of the audience', () => {
  expect(wholeAudience(undefined, 'public')).toBe('Everyone');
  expect(wholeAudience({ who: 'everyone' }, 'members')).toBe('Members of your channel');
  expect(wholeAudience({ who: 'members', tier: 2 }, 'unlisted')).toBe('Members from tier 2 with the link');
  expect(wholeAudience({ who: 'ticket' }, 'members')).toBe('Ticket holders who are members of your channel');
});

test('how long a free look is', () => {
  expect([1, 30, 60, 90, 300].map(lookText)).toEqual([
    '1 second',
    '30 seconds',
    '1 minute',
    '1 min 30 s',
    '5 minutes',
  ]);
});
