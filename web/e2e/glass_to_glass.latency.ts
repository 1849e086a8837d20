/** Prints how old the picture is where it is seen, and how long joining takes. Only wide limits hold. */
import type { Page } from '@playwright/test';
import { type JoinTimes, measureJoin, publishBarcode, readBarcode } from './barcode';
import { expect, expectMovingPicture, test } from './harness';
import { quantile, row } from './quantiles';

const WATCH_MS = Number(process.env.LATENCY_SECONDS ?? 10) * 1000;
const JOINS = Number(process.env.LATENCY_JOINS ?? 10);

async function joinTimes(page: Page, handle: string): Promise<JoinTimes> {
  await page.goto(`/@${handle}`);
  await page.waitForFunction(() => {
    const { joinTimes } = window as unknown as { joinTimes: Partial<JoinTimes> };
    return joinTimes.firstFrame !== undefined && joinTimes.firstKeyFrame !== undefined;
  });
  return page.evaluate(() => (window as unknown as { joinTimes: JoinTimes }).joinTimes);
}

for (const [codec, simulcast] of [
  ['H264', true],
  ['VP8', true],
  ['H264', false],
] as const) {
  const name = `${codec}, ${simulcast ? 'three layers' : 'one layer'}`;
  test(`glass to glass: ${name}`, async ({ people, ownChannel: channel, site }) => {
    const { key } = await site.api<{ key: string }>('POST', `/channels/${channel.handle}/stream_keys`, {
      name: 'latency',
    });
    const publisher = await people.stranger();
    await publisher.goto('/nowhere');
    await publisher.evaluate(publishBarcode, { endpoint: '/whip', key, codec, simulcast });

    const viewer = await people.stranger();
    await viewer.goto(`/@${channel.handle}`);
    await expectMovingPicture(viewer);
    // The bandwidth estimates of both sides have settled by then.
    await viewer.waitForTimeout(5000);
    const { ages, unreadable } = await viewer.evaluate(readBarcode, WATCH_MS);
    console.log(row(`${name}: glass to glass`, ages));
    console.log(`${''.padEnd(34)} ${unreadable} frames unreadable`);
    await viewer.keyboard.press('Shift+S');
    const statistics = viewer.getByRole('region', { name: 'Statistics' });
    for (const name of ['Resolution', 'Buffer', 'Glass to glass', 'Freezes']) {
      const value = await statistics.locator('dt', { hasText: name }).locator('+ dd').textContent();
      console.log(`${''.padEnd(34)} the player says: ${name} ${value}`);
    }
    await viewer.close();

    const joiner = await people.stranger();
    await joiner.addInitScript(measureJoin);
    const joins: JoinTimes[] = [];
    for (let join = 0; join < JOINS; join += 1) joins.push(await joinTimes(joiner, channel.handle));
    for (const [label, key] of [
      ['navigation to POST', 'posted'],
      ['POST to answer', 'answered'],
      ['POST to connected', 'connected'],
      ['POST to first key frame', 'firstKeyFrame'],
      ['POST to first picture', 'firstFrame'],
    ] as const) {
      console.log(
        row(
          `${name}: ${label}`,
          joins.map((times) => times[key]),
        ),
      );
    }
    expect(ages.length).toBeGreaterThan(WATCH_MS / 1000);
    expect(quantile(ages, 0.5)).toBeLessThan(300);
  });
}
