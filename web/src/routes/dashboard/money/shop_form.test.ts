import { expect, test } from 'vitest';
import type { Shop } from '../../../api/payments';
import { editOf, formOf } from './shop_form';

const SHOP: Shop = {
  test_mode: true,
  can_sell: true,
  currency: 'eur',
  welcome: 'Hello',
  takes_tips: true,
  least_tip: 100,
  tiers: [{ tier: 1, name: 'Friend', perks: ['A badge'], month: 499, year: 4990, currency: 'eur' }],
  fee_percent: 0,
  has_alerts: false,
};

test('what was not touched is not sent', () => {
  const form = formOf(SHOP);
  expect(form.tiers[0]).toMatchObject({ month: '4.99', year: '49.90', perks: 'A badge' });
  expect(editOf(form, form)).toEqual({ edit: {} });
  expect(editOf({ ...form, welcome: 'Hi' }, form)).toEqual({ edit: { welcome: 'Hi' } });
});

test('prices are read as they are typed, and a price for a year can be left out', () => {
  const form = formOf(SHOP);
  const tiers = [{ id: 0, name: ' Friend ', perks: 'A badge\n\n Emotes ', month: '5,50', year: '' }];
  expect(editOf({ ...form, tiers }, form)).toEqual({
    edit: { tiers: [{ name: 'Friend', perks: ['A badge', 'Emotes'], month: 550, year: null }] },
  });
});

test('another currency takes all prices along', () => {
  const form = formOf(SHOP);
  expect(editOf({ ...form, currency: 'usd' }, form)).toEqual({
    edit: {
      currency: 'usd',
      tiers: [{ name: 'Friend', perks: ['A badge'], month: 499, year: 4990 }],
      least_tip: 100,
    },
  });
  // Yen have no decimals.
  expect(editOf({ ...form, currency: 'jpy' }, form)).toEqual({
    errors: {
      'tiers.0.month': 'An amount such as 500.',
      'tiers.0.year': 'An amount such as 500.',
      least_tip: 'An amount such as 500.',
    },
  });
});
