import { expect, test } from 'vitest';
import { handleFrom, handleProblem } from './handle';

test('a name makes a handle', () => {
  expect(handleFrom("Ada's Garden")).toBe('adas_garden');
  expect(handleFrom('  Zoë Müller! ')).toBe('zoe_muller');
  expect(handleFrom('日本')).toBe('');
});

test('a bad handle is told before it is sent', () => {
  expect(handleProblem('ada')).toBeNull();
  expect(handleProblem('a')).toContain('2');
  expect(handleProblem('_ada')).toContain('Begin');
  expect(handleProblem('a b')).toContain('a–z');
  expect(handleProblem('x'.repeat(31))).toContain('30');
});
