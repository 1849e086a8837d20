import { expect, test } from 'vitest';
import { sizeWords } from './words';

test('sizes keep two or three digits', () => {
  expect([0, 999, 1000, 9_960, 820_400, 1_400_000_000, 9e15].map(sizeWords)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '10 kB',
    '820 kB',
    '1.4 GB',
    '9000 TB',
  ]);
});
