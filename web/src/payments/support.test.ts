import { expect, test } from 'vitest';
import { givenText } from './support';

const names = (tier: number) => (tier === 1 ? 'Friend' : null);

test('a new member is told with the tier, by its name where it is known', () => {
  expect(givenText({ what: 'membership', tier: 1 }, names)).toBe('is a member now (Friend)');
  expect(givenText({ what: 'membership', tier: 2 }, names)).toBe('is a member now (tier 2)');
  expect(givenText({ what: 'membership', tier: 2 })).toBe('is a member now (tier 2)');
  expect(givenText({ what: 'membership', tier: null })).toBe('is a member now');
});

test('gifts are counted', () => {
  expect(givenText({ what: 'gift', tier: 1, quantity: 5 }, names)).toBe('gives 5 memberships');
  expect(givenText({ what: 'gift', quantity: 1 })).toBe('gives a membership');
  expect(givenText({ what: 'gift', quantity: null })).toBe('gives a membership');
});

test('a tip has its amount, with the decimals of its currency', () => {
  expect(givenText({ what: 'tip', amount: 700, currency: 'eur' })).toBe('tips €7.00');
  expect(givenText({ what: 'tip', amount: 500, currency: 'jpy' })).toBe('tips ¥500');
  expect(givenText({ what: 'tip', amount: null, currency: 'eur' })).toBe('sends a tip');
  expect(givenText({ what: 'tip', amount: 700, currency: null })).toBe('sends a tip');
});
