import { expect, test } from 'vitest';
import { NO_MODES, type You } from './protocol';
import { afterTimeout, modeChips, otherName, standingOf } from './standing';

const you = (patch: Partial<You> = {}): You => ({
  id: 'a',
  name: 'ada',
  role: 'viewer',
  may_write: true,
  may_moderate: false,
  restraint: null,
  ...patch,
});
const NOW = 1_000_000;
const standing = (who: You, modes = {}, patch = {}, now = NOW) =>
  standingOf(
    who,
    { ...NO_MODES, ...modes },
    { waitUntil: null, barred: null, guestName: null, follows: null, now, ...patch },
  );
const action = (who: You, modes = {}, wait: number | null = null, guest: string | null = null) =>
  standing(who, modes, { waitUntil: wait, guestName: guest })?.action ?? 'write';

test('whoever may write, writes', () => {
  expect(action(you())).toBe('write');
});

test('a ban lasts, a time-out counts down and ends by itself', () => {
  const banned = you({ may_write: false, restraint: { kind: 'ban', until: null, reason: null } });
  expect(action(banned)).toBe('none');
  expect(afterTimeout(banned, NOW)).toBe(banned);
  const restraint = { kind: 'timeout' as const, until: new Date(NOW + 5000).toISOString(), reason: 'spam' };
  // As the server says it.
  const silent = you({ may_write: false, restraint });
  const now = standing(silent);
  expect(now).toMatchObject({ action: 'wait', until: NOW + 5000 });
  expect(now?.words).toContain('spam');
  expect(standing(silent, {}, {}, NOW + 6000)).toBeNull();
  expect(afterTimeout(silent, NOW + 4999)).toBe(silent);
  expect(afterTimeout(silent, NOW + 5000)).toMatchObject({ may_write: true, restraint: null });
});

test('strangers sign in, or choose a name where guests are let in', () => {
  const reader = you({ role: 'reader', may_write: false });
  expect(action(reader)).toBe('sign_in');
  expect(action(reader, { guests: true })).toBe('name');
  expect(action(you({ role: 'guest' }), { guests: true }, null, 'Nora')).toBe('write');
  expect(action(reader, { guests: true, followers_minutes: 0 })).toBe('sign_in');
});

test('modes that keep one out say what would help', () => {
  expect(standing(you(), { followers_minutes: 10 }, { follows: false })?.action).toBe('follow');
  expect(standing(you(), { followers_minutes: 10 }, { follows: true })).toBeNull();
  const tooNew = standing(you(), { followers_minutes: 10 }, { follows: true, barred: 'followers_only' });
  expect(tooNew).toMatchObject({ action: 'none', words: expect.stringContaining('10 minutes') });
  expect(standing(you(), { members_only: true }, { barred: 'members_only' })?.action).toBe('none');
  expect(standing(you(), { members_only: true })).toBeNull();
  const moderator = you({ role: 'moderator', may_moderate: true });
  expect(standing(moderator, { followers_minutes: 0 }, { follows: false })).toBeNull();
  expect(action(you(), { slow_seconds: 10 }, NOW + 4000)).toBe('wait');
});

test('one may write on while one waits, and is told of it in words that stay', () => {
  const slow = { slow_seconds: 10 };
  expect(standing(you(), slow, { waitUntil: NOW + 4000 })).toMatchObject({
    words: 'Slow mode',
    mayType: true,
  });
  expect(standing(you(), slow, { waitUntil: NOW + 1 })?.words).toBe('Slow mode');
  expect(standing(you(), {}, { waitUntil: NOW + 4000 })).toMatchObject({ words: 'Too fast', mayType: true });
  const moderator = you({ role: 'moderator', may_moderate: true });
  expect(standing(moderator, slow, { waitUntil: NOW + 4000 })?.words).toBe('Too fast');
  const restraint = { kind: 'timeout' as const, until: new Date(NOW + 5000).toISOString(), reason: null };
  expect(standing(you({ may_write: false, restraint }))?.mayType).toBe(false);
});

test('a guest is told of another name than the one it wished, and nobody else is', () => {
  const guest = you({ role: 'guest', name: 'Guest 12' });
  expect(otherName(guest, 'Ada')).toBe('That name is taken: you are called Guest 12.');
  expect(otherName(guest, 'A')).toBe('A name has 2 letters or more: you are called Guest 12.');
  expect(otherName(guest, null)).toBeNull();
  expect(otherName({ ...guest, name: 'Ada L' }, ' Ada  L ')).toBeNull();
  expect(otherName(you(), 'Nora')).toBeNull();
});

test('chips name what is different', () => {
  const chips = modeChips({ ...NO_MODES, slow_seconds: 30, followers_minutes: 1440, links_blocked: true });
  expect(chips.map(({ label }) => label)).toEqual(['Slow 30 s', 'Followers 1 day', 'No links']);
});
