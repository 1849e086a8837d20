/** Prints how old the picture is that hls.js shows in low-latency mode, and how soon it comes. Only wide limits hold. */
import { publishBarcode, readBarcode } from './barcode';
import {
  expect,
  expectMovingPicture,
  firstPicture,
  hlsReady,
  noteFirstPicture,
  PICTURE,
  test,
} from './harness';
import { quantile, row } from './quantiles';

const WATCH_MS = Number(process.env.LATENCY_SECONDS ?? 60) * 1000;
const LOADS = Number(process.env.LATENCY_JOINS ?? 5);

/** When the page had loaded, in milliseconds of its life. */
function loadedAt(): number {
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  return Math.round(navigation?.loadEventEnd ?? 0);
}

test('low latency: three layers over LL-HLS', async ({ people, ownChannel: channel, site }) => {
  test.setTimeout(WATCH_MS + 240_000);
  const { key } = await site.api<{ key: string }>('POST', `/channels/${channel.handle}/stream_keys`, {
    name: 'latency',
  });
  const publisher = await people.stranger();
  await publisher.goto('/nowhere');
  await publisher.evaluate(publishBarcode, { endpoint: '/whip', key, codec: 'H264', simulcast: true });
  await hlsReady(site, channel.handle);

  const navigations: number[] = [];
  const loads: number[] = [];
  for (let load = 0; load < LOADS; load += 1) {
    const joiner = await people.stranger();
    await joiner.addInitScript(() => localStorage.setItem('tallylight.latency', 'low'));
    await joiner.addInitScript(noteFirstPicture, PICTURE);
    await joiner.goto(`/@${channel.handle}`);
    await expectMovingPicture(joiner);
    const seen = await firstPicture(joiner);
    navigations.push(seen);
    loads.push(seen - (await joiner.evaluate(loadedAt)));
    await joiner.close();
  }
  console.log(row('LL-HLS: navigation to first picture', navigations));
  console.log(row('LL-HLS: load to first picture', loads));

  const viewer = await people.stranger();
  await viewer.addInitScript(() => localStorage.setItem('tallylight.latency', 'low'));
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);
  await expect(viewer.getByRole('button', { name: /^Latency: Low latency/ })).toBeVisible();
  await viewer.waitForTimeout(3000);
  const { ages, unreadable } = await viewer.evaluate(readBarcode, WATCH_MS);
  console.log(row('LL-HLS: glass to glass', ages));
  console.log(`${''.padEnd(34)} ${unreadable} frames unreadable`);
  await viewer.keyboard.press('Shift+S');
  const statistics = viewer.getByRole('region', { name: 'Statistics' });
  const value = (name: string) => statistics.locator('dt', { hasText: name }).locator('+ dd').textContent();
  for (const name of ['Transport', 'Resolution', 'Buffer', 'Glass to glass', 'Freezes', 'Frames dropped']) {
    console.log(`${''.padEnd(34)} the player says: ${name} ${await value(name)}`);
  }
  expect(ages.length).toBeGreaterThan(WATCH_MS / 1000);
  expect(quantile(ages, 0.5)).toBeLessThan(4000);
  expect(quantile(loads, 0.5)).toBeLessThan(10_000);
});
