import { expect, test } from 'vitest';
import {
  amountText,
  CURRENCIES,
  currencyName,
  decimals,
  moneyText,
  readAmount,
  suggestions,
  totals,
} from './money';

test('money is written with the decimals of its currency', () => {
  expect(moneyText({ amount: 499, currency: 'eur' })).toBe('€4.99');
  expect(moneyText({ amount: -499, currency: 'usd' })).toBe('-$4.99');
  expect(moneyText({ amount: 500, currency: 'jpy' })).toBe('¥500');
  expect(moneyText({ amount: 1_000_000, currency: 'gbp' })).toBe('£10,000.00');
  expect(moneyText({ amount: 5, currency: 'eur' })).toBe('€0.05');
});

test('only yen have no decimals among the currencies that are sold in', () => {
  for (const currency of CURRENCIES) expect(decimals(currency), currency).toBe(currency === 'jpy' ? 0 : 2);
});

test('what people type becomes whole cents, however they write it', () => {
  const typed: [string, number][] = [
    ['4.99', 499],
    ['4,99', 499],
    ['4', 400],
    ['4.9', 490],
    [' 4.99 ', 499],
    ['0.07', 7],
    ['1000', 100_000],
    ['1,000,000', 100_000_000],
    ['1.000,50', 100_050],
    ['1,000.50', 100_050],
    ['1 000,50', 100_050],
    // By floats it would be 114.99999999999999.
    ['1.15', 115],
    ['8.41', 841],
  ];
  for (const [text, amount] of typed) expect(readAmount(text, 'eur'), text).toBe(amount);
});

test('what is no amount of the currency is none', () => {
  for (const text of [
    '',
    'five',
    '4.999',
    '-4',
    '4.9.9',
    '4,99,99',
    '1,000,50',
    '1,000',
    '1.000',
    '€',
    '1e3',
    '4.',
    '.',
    '9'.repeat(13),
  ]) {
    expect(readAmount(text, 'eur'), text).toBeNull();
  }
  expect(readAmount('500', 'jpy')).toBe(500);
  expect(readAmount('1,500', 'jpy')).toBe(1500);
  expect(readAmount('5.5', 'jpy')).toBeNull();
});

test('an amount in a field is read as the same amount', () => {
  for (const currency of CURRENCIES) {
    for (const amount of [0, 1, 9, 10, 99, 100, 101, 12_345, 1_000_000]) {
      expect(readAmount(amountText({ amount, currency }), currency)).toBe(amount);
    }
  }
});

test('amounts to choose from begin at the least and go up in round steps', () => {
  expect(suggestions(50, 1_000_000, 'eur')).toEqual([50, 100, 200, 500, 1000]);
  expect(suggestions(300, 1_000_000, 'eur')).toEqual([300, 500, 1000, 2000, 5000]);
  expect(suggestions(50, 1_000_000, 'jpy')).toEqual([50, 100, 200, 500, 1000]);
  expect(suggestions(100, 250, 'eur')).toEqual([100, 200]);
});

test('sums are kept apart by currency', () => {
  expect(
    totals([
      { amount: 100, currency: 'eur' },
      { amount: 500, currency: 'jpy' },
      { amount: -30, currency: 'eur' },
    ]),
  ).toEqual([
    { amount: 70, currency: 'eur' },
    { amount: 500, currency: 'jpy' },
  ]);
  expect(currencyName('eur')).toBe('Euro (EUR)');
});
