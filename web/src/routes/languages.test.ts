import { expect, test } from 'vitest';
import { languageName } from './languages';

test('languages are called by name, and nonsense stays what it is', () => {
  expect(['pt', 'pt-BR', 'xq', '!!'].map(languageName)).toEqual([
    'Portuguese',
    'Brazilian Portuguese',
    'xq',
    '!!',
  ]);
});
