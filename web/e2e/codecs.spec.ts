/** Codecs other than H264 by HLS: as they come where players have them, else transcoded. */
import { publishBarcode } from './barcode';
import { expect, expectMovingPicture, hlsReady, look, People, Site, test, wake } from './harness';

for (const [codec, settings, rendition] of [
  ['VP8', '\ntranscode = 1\n', /RESOLUTION=640x360/],
  ['VP9', '', /CODECS="vp09/],
  ['AV1', '', /CODECS="av01/],
] as const) {
  test(`a stream of ${codec} is watched by LL-HLS`, async ({ browser }) => {
    const site = await Site.setUp(settings);
    const people = new People(browser, site);
    const { key } = await site.api<{ key: string }>('POST', '/channels/ada/stream_keys', { name: codec });
    const publisher = await people.stranger();
    await publisher.goto('/nowhere');
    await publisher.evaluate(publishBarcode, { endpoint: '/whip', key, codec, simulcast: false });
    await hlsReady(site, 'ada');
    const viewer = await people.stranger();
    await viewer.addInitScript(() => localStorage.setItem('tallylight.latency', 'low'));
    await viewer.goto('/@ada');
    await expectMovingPicture(viewer);
    await wake(viewer);
    await expect(viewer.getByRole('button', { name: /^Latency: (Low latency|Stable) \d/ })).toBeVisible();
    if (codec === 'VP8') await look(viewer, 'watch-transcoded');
    const playlist = async () => await (await fetch(`${site.url}/hls/ada/index.m3u8`)).text();
    await expect.poll(playlist).toMatch(rendition);
    await people.leave();
    await site.server.stop();
  });
}
