/** Prints how old the picture of a publisher by RTMP is where it is seen. Only wide limits hold. */
import type { Page } from '@playwright/test';
import { readBarcode } from './barcode';
import { Ffmpeg, H264 } from './ffmpeg';
import { expect, expectMovingPicture, test } from './harness';
import { quantile, row } from './quantiles';

const WATCH_MS = Number(process.env.LATENCY_SECONDS ?? 10) * 1000;
const [WIDTH, HEIGHT, CELLS] = [1280, 720, 19];

/** Milliseconds, on the clock of this process: that of the page may be set otherwise. */
const clock = () => performance.timeOrigin + performance.now();

/** How far a page's clock is ahead of ours: by the quickest answer of many. */
async function ahead(page: Page): Promise<number> {
  let best = { took: Number.POSITIVE_INFINITY, ahead: 0 };
  for (let turn = 0; turn < 50; turn += 1) {
    const asked = clock();
    const theirs = await page.evaluate(() => performance.timeOrigin + performance.now());
    const took = clock() - asked;
    if (took < best.took) best = { took, ahead: theirs - (asked + took / 2) };
  }
  return best.ahead;
}

/** A grey picture with the time on it, as `readBarcode` reads it. */
function frame(): Buffer {
  const time = Math.floor(clock()) & 0xffff;
  const bits = Array.from({ length: 16 }, (_, bit) => (time >> bit) & 1);
  const parity = bits.reduce((sum, bit) => sum ^ bit, 0);
  const cells = [1, ...bits, parity, 0];
  const line = Buffer.alloc(WIDTH);
  for (let x = 0; x < WIDTH; x += 1) line[x] = cells[Math.floor((x * CELLS) / WIDTH)] ? 235 : 16;
  const picture = Buffer.alloc(WIDTH * HEIGHT, 40 + (time % 160));
  for (let y = 0; y < 200; y += 1) line.copy(picture, y * WIDTH);
  return picture;
}

test('H264 by RTMP: time code to eye', async ({ people, ownChannel: channel, site }) => {
  const input = [
    ...['-f', 'rawvideo', '-pix_fmt', 'gray', '-s', `${WIDTH}x${HEIGHT}`, '-r', '30'],
    ...['-use_wallclock_as_timestamps', '1', '-fflags', 'nobuffer', '-i', '-'],
    ...['-f', 'lavfi', '-re', '-i', 'sine=f=440:r=44100'],
  ];
  const encoder = await Ffmpeg.publish(site, channel.handle, input, [...H264, '-tune', 'zerolatency']);
  // It is stopped in the middle of a picture.
  encoder.process.stdin?.on('error', () => undefined);
  const drawing = setInterval(() => encoder.process.stdin?.write(frame()), 1000 / 30);
  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);
  await viewer.waitForTimeout(5000);
  const before = await ahead(viewer);
  const read = await viewer.evaluate(readBarcode, WATCH_MS);
  const offset = (before + (await ahead(viewer))) / 2;
  const ages = read.ages.map((age) => age - offset);
  clearInterval(drawing);
  await encoder.stop();
  console.log(row('H264 by RTMP: time code to eye', ages));
  console.log(
    `${''.padEnd(34)} ${read.unreadable} frames unreadable, the page's clock ${offset.toFixed(0)} ms ahead`,
  );
  expect(ages.length).toBeGreaterThan(WATCH_MS / 1000);
  expect(quantile(ages, 0.5)).toBeLessThan(1000);
});
