import { expect, test } from 'vitest';
import { cropOf, moved } from './crop';

const MIDDLE = { zoom: 1, x: 0.5, y: 0.5 };

test('without zoom the part is as large as the proportions allow, in the middle', () => {
  expect(cropOf({ width: 400, height: 300 }, 1, MIDDLE)).toEqual({ x: 50, y: 0, width: 300, height: 300 });
  expect(cropOf({ width: 400, height: 300 }, 4, MIDDLE)).toEqual({ x: 0, y: 100, width: 400, height: 100 });
});

test('no move leads beyond the edges', () => {
  const size = { width: 333, height: 777 };
  let view = { zoom: 2.35, x: 0.5, y: 0.5 };
  for (const by of [
    [9, 9],
    [-0.3, -40],
    [0.01, 0.01],
    [-9, 5],
  ] as const) {
    view = moved(size, 1, view, by);
    const { x, y, width, height } = cropOf(size, 1, view);
    expect(x).toBeGreaterThanOrEqual(0);
    expect(y).toBeGreaterThanOrEqual(0);
    expect(x + width).toBeLessThanOrEqual(size.width);
    expect(y + height).toBeLessThanOrEqual(size.height);
  }
});
