import { expect, test } from 'vitest';
import { bytes } from './bytes';

test('sizes are told in the unit that people would use', () => {
  expect([0, 999, 1000, 1_400_000_000, 250_000_000_000, 2e15].map(bytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '1.4 GB',
    '250 GB',
    '2.0 PB',
  ]);
});
