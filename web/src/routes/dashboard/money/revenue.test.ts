import { expect, test } from 'vitest';
import { barsOf, revenueWords, seriesOf } from './revenue';

const NOW = Date.parse('2026-05-03T12:00:00Z');
const row = (day: string, kind: string, amount: number, currency = 'eur') => ({
  day,
  kind,
  currency,
  amount,
  fee: Math.trunc(amount / 10),
  payments: amount > 0 ? 1 : 0,
});

const REVENUE = {
  members: 1,
  days: [
    row('2026-05-01', 'membership', 500),
    row('2026-05-01', 'tip', 300),
    row('2026-05-03', 'tip', -200),
    row('2026-05-03', 'ticket', 1000, 'jpy'),
  ],
};

test('each currency has all days, also those on which nothing came in', () => {
  const [euros, yen] = seriesOf(REVENUE, 3, NOW);
  expect(euros?.days.map(({ day, total }) => [day, total])).toEqual([
    ['2026-05-01', 800],
    ['2026-05-02', 0],
    ['2026-05-03', -200],
  ]);
  expect(euros).toMatchObject({ currency: 'eur', total: 600, fee: 60, payments: 2 });
  expect(yen).toMatchObject({ currency: 'jpy', total: 1000 });
  expect(seriesOf({ members: 0, days: [] }, 3, NOW)).toEqual([]);
});

test('bars stand upon each other, and what went back hangs below the line', () => {
  const [euros] = seriesOf(REVENUE, 3, NOW);
  const { bars, line, most } = barsOf(euros?.days ?? []);
  expect(most).toBe(800);
  expect(line).toBeCloseTo(0.8);
  const [first, second, third] = bars;
  expect(first?.map(({ kind }) => kind)).toEqual(['membership', 'tip']);
  expect(first?.[0]?.y).toBeCloseTo(0.3);
  expect(first?.[1]?.y).toBeCloseTo(0);
  expect(second).toEqual([]);
  expect(third?.[0]?.y).toBeCloseTo(0.8);
  expect(third?.[0]?.height).toBeCloseTo(0.2);
});

test('the drawing is told in words as well', () => {
  const [euros] = seriesOf(REVENUE, 3, NOW);
  expect(euros && revenueWords(euros)).toBe(
    '€6.00 by 2 payments in 3 days. The most on one day was €8.00, on May 1.',
  );
});
