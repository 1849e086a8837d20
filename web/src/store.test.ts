import { expect, test } from 'vitest';
import { Store } from './store';

test('listeners hear of changes, and of changes only', () => {
  const store = new Store({ a: 1, b: 'x' });
  let heard = 0;
  const stop = store.subscribe(() => {
    heard += 1;
  });
  const before = store.get();
  store.set({ a: 1 });
  expect(store.get()).toBe(before);
  store.set({ a: 2 });
  expect(store.get()).toEqual({ a: 2, b: 'x' });
  stop();
  store.set({ a: 3 });
  expect(heard).toBe(1);
});
