import { expect, test } from 'vitest';
import { LevelJudge } from './level';

const block = (amplitude: number) =>
  Float32Array.from({ length: 512 }, (_, i) => amplitude * Math.sin(i / 5));

test('three seconds of nothing are told, and a sound takes that back', () => {
  const judge = new LevelJudge(0);
  expect(judge.judge(block(0), 2900).silent).toBe(false);
  expect(judge.judge(block(0), 3100).silent).toBe(true);
  expect(judge.judge(block(0.2), 3200).silent).toBe(false);
});

test('a full-scale sample is clipping for a moment', () => {
  const judge = new LevelJudge(0);
  expect(judge.judge(block(1), 100).clipping).toBe(true);
  expect(judge.judge(block(0.1), 1000).clipping).toBe(true);
  expect(judge.judge(block(0.1), 1700).clipping).toBe(false);
});

test('the bar runs from 60 dB below full scale to full scale', () => {
  const judge = new LevelJudge(0);
  expect(judge.judge(block(0), 0).level).toBe(0);
  expect(judge.judge(block(1), 0).level).toBeCloseTo(1, 1);
  const middle = judge.judge(block(0.0316), 0).level;
  expect(middle).toBeGreaterThan(0.4);
  expect(middle).toBeLessThan(0.6);
});
