import { expect, test } from 'vitest';
import { Ascent } from './ascent';
import { LossWatch, probeDelay, StallWatch } from './trouble';

test('many freezes that add up are too many, short ones and old ones are not', () => {
  const few = new LossWatch();
  const bad = new LossWatch();
  let [short, long] = [false, false];
  for (let second = 0; second < 40; second += 1) {
    const freezes = Math.floor(second / 3);
    short ||= few.take({ loss: 0, freezes, freezeMs: freezes * 200 });
    long ||= bad.take({ loss: 0, freezes, freezeMs: freezes * 1200 });
  }
  expect(short).toBe(false);
  expect(long).toBe(true);
  bad.forget();
  expect(bad.take({ loss: 0, freezes: 20, freezeMs: 60_000 }), 'it starts from here').toBe(false);
});

test('a stall that lasts is bad at once, blinks never are', () => {
  const stalls = new StallWatch();
  for (let at = 0; at < 10_000; at += 1000) {
    stalls.began(at);
    stalls.ended(at + 100);
    expect(stalls.isBad(at + 100)).toBe(false);
  }
  stalls.began(20_000);
  expect(stalls.isBad(23_900)).toBe(false);
  expect(stalls.isBad(24_000)).toBe(true);
  stalls.ended(24_500);
  expect([stalls.count, stalls.totalMs]).toEqual([1, 4500]);
});

test('what fails again soon is tried later, what held is forgotten', () => {
  const ascent = new Ascent();
  const wait = (from: number) => {
    let at = from;
    while (!ascent.isDue(at)) at += 1000;
    return at - from;
  };
  ascent.fell('ll_hls', 0);
  expect(wait(0)).toBe(probeDelay(0));
  ascent.failed(100_000);
  expect(wait(100_000)).toBe(probeDelay(1));
  ascent.climbed(200_000);
  ascent.fell('ll_hls', 260_000);
  expect(wait(260_000), 'it held for a minute').toBe(probeDelay(2));
  ascent.climbed(500_000);
  ascent.fell('ll_hls', 900_000);
  expect(wait(900_000), 'it held for long').toBe(probeDelay(0));
  ascent.hurry(901_000);
  expect(ascent.isDue(901_000)).toBe(true);
});
