import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issue } from './certificate';
import { expect, expectMovingPicture, goLive, hlsReady, People, Site, test } from './harness';

test('a browser plays low-latency HLS over HTTP/2', async ({ browser }) => {
  const folder = mkdtempSync(join(tmpdir(), 'tallylight-tls-'));
  const tls = { TALLYLIGHT_HTTP_TLS_LISTEN: '127.0.0.1:0', ...issue(folder) };
  const site = await Site.setUp('', tls);
  const people = new People(browser, site);
  try {
    await goLive(await people.creator(), 'ada', '&codec=h264');
    await hlsReady(site, 'ada');
    const port = /Over TLS +https:\S+:(\d+)/.exec(site.server.output)?.[1];
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const viewer = await context.newPage();
    // Not by WebRTC, in words that send a player to HLS.
    const refusal = { status: 422, json: { code: 'codec_mismatch', detail: 'not this way' } };
    await viewer.route('**/whep/*', (route) => route.fulfill(refusal));
    await viewer.goto(`https://localhost:${port}/@ada`);
    await expectMovingPicture(viewer);
    // What was asked for over the network, by what it came.
    const protocols = () =>
      viewer.evaluate(() => {
        const entries = performance.getEntriesByType('resource') as PerformanceResourceTiming[];
        const media = entries.filter((entry) => /_HLS_msn|\.m4s/.test(entry.name));
        return media.map((entry) => entry.nextHopProtocol);
      });
    await expect.poll(async () => (await protocols()).length, { timeout: 60_000 }).toBeGreaterThan(20);
    expect(new Set(await protocols())).toEqual(new Set(['h2']));
    await expectMovingPicture(viewer);
    await context.close();
    await people.leave();
  } finally {
    await site.server.stop();
    rmSync(folder, { recursive: true });
  }
});
