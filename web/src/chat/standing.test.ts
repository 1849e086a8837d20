import { expect, test } from 'vitest';
import { NO_MODES, type You } from './protocol';
import { modeChips, standingOf } from './standing';

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
const action = (who: You, modes = {}, wait: number | null = null, guest: string | null = null) =>
  standingOf(who, { ...NO_MODES, ...modes }, wait, guest, NOW)?.action ?? 'write';

test('whoever may write, writes', () => {
  expect(action(you())).toBe('write');
});

test('a ban lasts, a time-out counts down and ends by itself', () => {
  expect(action(you({ restraint: { kind: 'ban', until: null, reason: null } }))).toBe('none');
  const restraint = { kind: 'timeout' as const, until: new Date(NOW + 5000).toISOString(), reason: 'spam' };
  const standing = standingOf(you({ restraint }), NO_MODES, null, null, NOW);
  expect(standing).toMatchObject({ action: 'wait', until: NOW + 5000 });
  expect(standing?.words).toContain('spam');
  expect(standingOf(you({ restraint }), NO_MODES, null, null, NOW + 6000)).toBeNull();
});

test('strangers sign in, or choose a name where guests are let in', () => {
  const reader = you({ role: 'reader', may_write: false });
  expect(action(reader)).toBe('sign_in');
  expect(action(reader, { guests: true })).toBe('name');
  expect(action(you({ role: 'guest' }), { guests: true }, null, 'Nora')).toBe('write');
  expect(action(reader, { guests: true, followers_minutes: 0 })).toBe('sign_in');
});

test('modes that keep one out say what would help', () => {
  expect(action(you({ may_write: false }), { followers_minutes: 10 })).toBe('follow');
  expect(action(you({ may_write: false }), { members_only: true })).toBe('none');
  expect(action(you(), { slow_seconds: 10 }, NOW + 4000)).toBe('wait');
});

test('chips name what is different', () => {
  const chips = modeChips({ ...NO_MODES, slow_seconds: 30, followers_minutes: 1440, links_blocked: true });
  expect(chips.map(({ label }) => label)).toEqual(['Slow 30 s', 'Followers 1 day', 'No links']);
});
