import { expect, test } from 'vitest';
import { scoreWords, transportShares, watchWords } from './words';

test('watch time is as short as it can be read', () => {
  expect([0, 89, 90, 5399, 5400, 36_000, 360_000].map(watchWords)).toEqual([
    '0 s',
    '89 s',
    '2 min',
    '90 min',
    '1.5 h',
    '10 h',
    '100 h',
  ]);
});

test('ways of watching are shares, the largest first', () => {
  expect(transportShares({ webrtc: 30, ll_hls: 70, hls: 0 })).toEqual([
    ['Low latency', 70],
    ['Instant', 30],
  ]);
  expect(transportShares({ webrtc: 0, ll_hls: 0, hls: 0 })).toEqual([]);
});

test('a score is a word', () => {
  expect([100, 90, 89, 60, 59, 0].map(scoreWords)).toEqual(['good', 'good', 'fair', 'fair', 'poor', 'poor']);
});
