import { expect, test } from 'vitest';
import { giftPath, giftStanding } from './gift';

const fresh = { isSignedIn: true, isMember: false, isTaken: false, refused: null };

test('a gift is offered to who is signed in and no member', () => {
  expect(giftStanding(fresh)).toBe('open');
  expect(giftStanding({ ...fresh, isMember: true })).toBe('member');
  expect(giftStanding({ ...fresh, isSignedIn: false, isMember: null })).toBe('stranger');
  expect(giftStanding({ ...fresh, isSignedIn: null })).toBe('unknown');
  expect(giftStanding({ ...fresh, isMember: null })).toBe('unknown');
});

test('what the server said of it counts', () => {
  expect(giftStanding({ ...fresh, isMember: true, isTaken: true }), 'by this very gift').toBe('taken');
  expect(giftStanding({ ...fresh, refused: 'gifts_gone' })).toBe('gone');
  expect(giftStanding({ ...fresh, refused: 'already_member' })).toBe('member');
  expect(giftStanding({ ...fresh, refused: 'rate_limited' }), 'one may try again').toBe('open');
});

test('the address of a gift is one of the channel', () => {
  expect(giftPath('ada', '0198')).toBe('/@ada?gift=0198');
});
