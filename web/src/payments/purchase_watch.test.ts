import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Looked, returnOf, type Standing, watchPurchase, withoutReturn } from './purchase_watch';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watched(answers: (Looked | null | Error)[]) {
  const told: Standing<Looked>['name'][] = [];
  let asked = 0;
  const stop = watchPurchase(
    async () => {
      const answer = answers[Math.min(asked++, answers.length - 1)] ?? null;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    ({ name }) => told.push(name),
  );
  return { told, stop, asked: () => asked };
}

test('a purchase is asked for every second until it is paid', async () => {
  const { told, asked } = watched([{ state: 'open' }, { state: 'open' }, { state: 'paid' }]);
  await vi.advanceTimersByTimeAsync(1500);
  expect(told).toEqual(['waiting']);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(told).toEqual(['waiting', 'paid']);
  expect(asked()).toBe(3);
});

test('after half a minute nobody needs to wait', async () => {
  const { told, asked } = watched([{ state: 'open' }]);
  await vi.advanceTimersByTimeAsync(28_900);
  expect(told).toEqual(['waiting']);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(told).toEqual(['waiting', 'slow']);
  expect(asked()).toBe(30);
});

test('a server that is away for a moment is asked again', async () => {
  const { told } = watched([new Error('away'), { state: 'paid' }]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(told).toEqual(['waiting', 'paid']);
});

test('what failed or ran out is not paid, and what is not there is unknown', async () => {
  for (const state of ['failed', 'expired'] as const) {
    const { told } = watched([{ state }]);
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual(['waiting', 'unpaid']);
  }
  const { told } = watched([null]);
  await vi.advanceTimersByTimeAsync(0);
  expect(told).toEqual(['waiting', 'unknown']);
});

test('whoever leaves hears nothing more', async () => {
  const { told, stop, asked } = watched([{ state: 'open' }, { state: 'paid' }]);
  await vi.advanceTimersByTimeAsync(0);
  stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(told).toEqual(['waiting']);
  expect(asked()).toBe(1);
});

test('the address tells how somebody comes back, and is cleaned of it', () => {
  expect(returnOf('?purchase=0192')).toEqual({ name: 'paid', id: '0192' });
  expect(returnOf('?a=b&purchase_cancelled=0192')).toEqual({ name: 'cancelled' });
  expect(returnOf('?gift=0198')).toEqual({ name: 'gift', id: '0198' });
  expect(returnOf('?purchase=')).toBeNull();
  expect(returnOf('')).toBeNull();
  expect(withoutReturn('/@ada', '?purchase=0192')).toBe('/@ada');
  expect(withoutReturn('/@ada', '?tab=about&purchase_cancelled=1')).toBe('/@ada?tab=about');
  expect(withoutReturn('/@ada', '?gift=0198')).toBe('/@ada');
});
