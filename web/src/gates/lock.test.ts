import { expect, test } from 'vitest';
import { lockOfChannel, lockOfRecording } from './lock';

const OPEN = { access: 'granted', entry: null } as const;
const members = (previewMs: number | null = null) =>
  ({ access: 'members', tier: 2, isOfChannel: false, previewMs }) as const;
const barred = (why: 'members_only' | 'preview_over' | 'access_ended' | 'unknown', midway = false) =>
  ({ name: 'barred', why, midway }) as const;

test('a channel that is shut is so off air, too', () => {
  const lock = { by: 'followers', of: 'channel', tier: null, ended: null };
  expect(lockOfChannel({ access: 'followers', entry: null }, { name: 'offline' })).toEqual(lock);
  expect(lockOfChannel(OPEN, { name: 'offline' })).toBeNull();
});

test('a stream is shut when its media is, and says what is missing', () => {
  const channel = { access: 'granted', entry: members() } as const;
  expect(lockOfChannel(channel, barred('members_only'))).toEqual({
    by: 'members',
    of: 'stream',
    tier: 2,
    ended: null,
  });
  expect(lockOfChannel(channel, { name: 'live' }), 'it plays').toBeNull();
  expect(lockOfChannel(channel, { name: 'ended' })).toBeNull();
});

test('what is over is told: a membership, or a free look', () => {
  const channel = { access: 'granted', entry: members() } as const;
  expect(lockOfChannel(channel, barred('access_ended', true))?.ended).toBe('access');
  expect(lockOfChannel(channel, barred('preview_over', true))?.ended).toBe('preview');
  expect(lockOfChannel(channel, barred('preview_over'))?.ended, 'on another day').toBe('preview');
});

test('until the server has been asked again, the refusal says it', () => {
  expect(lockOfChannel(OPEN, barred('members_only'))?.by).toBe('members');
  expect(lockOfChannel(OPEN, barred('unknown')), 'nobody knows').toBeNull();
});

test('the free look of a recording is its first seconds', () => {
  expect(lockOfRecording(members(), { name: 'loading' })?.by).toBe('members');
  expect(lockOfRecording(members(30_000), { name: 'ready' })).toBeNull();
  expect(lockOfRecording(members(30_000), { name: 'ended' })).toMatchObject({
    by: 'members',
    ended: 'preview',
  });
  expect(
    lockOfRecording(
      { access: 'granted', tier: null, isOfChannel: false, previewMs: null },
      { name: 'ended' },
    ),
  ).toBeNull();
  expect(lockOfRecording(null, { name: 'ended' })).toBeNull();
  expect(lockOfRecording(null, barred('members_only', true))).toMatchObject({
    by: 'members',
    ended: 'access',
  });
});

test('where the channel asks, it is the channel that is shut', () => {
  const entry = { access: 'password', tier: null, isOfChannel: true, previewMs: null } as const;
  expect(lockOfRecording(entry, { name: 'loading' })).toMatchObject({ by: 'password', of: 'channel' });
});
