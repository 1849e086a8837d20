/** A stream at two CDNs, one of which fails: what a viewer by LL-HLS notices of it. */
import { test as base, type Page } from '@playwright/test';
import { Cdn, type Fault } from './cdn';
import { Ffmpeg, H264, TEST_CARD } from './ffmpeg';
import { expect, expectMovingPicture, hlsReady, People, PICTURE, Site } from './harness';

interface AtTwo {
  site: Site;
  /** All streams begin with it. */
  first: Cdn;
  second: Cdn;
}

const test = base.extend<{ people: People; handle: string }, { atTwo: AtTwo }>({
  atTwo: [
    async ({ browserName: _ }, use) => {
      const [first, second] = [await Cdn.start(), await Cdn.start()];
      const urls = `segment_urls = ["${first.url}", "${second.url}"]`;
      const site = await Site.setUp(`[hls]\n${urls}\nsegment_weights = [1, 0]\n`);
      first.origin = site.url;
      second.origin = site.url;
      await use({ site, first, second });
      await Promise.all([first.stop(), second.stop()]);
      await site.server.stop();
    },
    { scope: 'worker' },
  ],
  /** A channel that is on air, and has been for some seconds. */
  handle: async ({ atTwo: { site, first, second } }, use, { testId }) => {
    const handle = `on_air_${testId.slice(-6)}`;
    await site.newChannel(handle, 'On air');
    const encoder = await Ffmpeg.publish(site, handle, TEST_CARD, H264);
    await hlsReady(site, handle);
    await expect.poll(() => segments(site, handle), { timeout: 30_000 }).toBeGreaterThan(2);
    second.asked = 0;
    await use(handle);
    await encoder.stop();
    await Promise.all([first.heal(), second.heal()]);
  },
  people: async ({ browser, atTwo }, use) => {
    const people = new People(browser, atTwo.site);
    await use(people);
    await people.leave();
  },
});

async function segments(site: Site, handle: string): Promise<number> {
  const read = async (url: string) => (await fetch(url)).text();
  const list = `${site.url}/hls/${handle}/index.m3u8`;
  const picture = /RESOLUTION=.*\n(\S+)/.exec(await read(list))?.[1];
  return picture ? (await read(new URL(picture, list).href)).split('#EXTINF').length - 1 : 0;
}

/** Put into a page before anything else: how long the picture stood at most, in milliseconds. */
function noteStandstill(selector: string): void {
  const noted = { standstill: 0 };
  let last = { seconds: 0, at: performance.now() };
  setInterval(() => {
    const seconds = document.querySelector<HTMLVideoElement>(selector)?.currentTime ?? 0;
    if (seconds !== last.seconds) last = { seconds, at: performance.now() };
    noted.standstill = Math.max(noted.standstill, performance.now() - last.at);
  }, 50);
  Object.assign(window, { noted });
}

/** What was noted since it was last asked for. */
async function standstill(page: Page): Promise<number> {
  return page.evaluate(() => {
    const { noted } = window as unknown as { noted: { standstill: number } };
    const { standstill } = noted;
    noted.standstill = 0;
    return Math.round(standstill);
  });
}

async function watchByLowLatency(people: People, site: Site, handle: string): Promise<Page> {
  const viewer = await people.stranger();
  await viewer.addInitScript(() => localStorage.setItem('tallylight.latency', 'low'));
  await viewer.addInitScript(noteStandstill, PICTURE);
  await viewer.goto(`${site.url}/@${handle}`);
  await expectMovingPicture(viewer);
  await expect(viewer.getByRole('button', { name: /^Latency: Low latency/ })).toBeVisible();
  return viewer;
}

/** Waits until media comes from it. */
async function expectServing(cdn: Cdn): Promise<void> {
  const before = cdn.served;
  await expect.poll(() => cdn.served, { timeout: 30_000 }).toBeGreaterThan(before + 3);
}

const FAULTS: [Fault, string][] = [
  ['unavailable', 'answers 503'],
  ['forbidden', 'answers 403'],
  ['missing', 'answers 404'],
  ['hangs', 'hangs'],
  ['refuses', 'refuses connections'],
];

for (const [fault, words] of FAULTS) {
  test(`when a CDN ${words}, its viewers go on at the other and are told nothing`, async ({
    people,
    handle,
    atTwo: { site, first, second },
  }) => {
    const viewer = await watchByLowLatency(people, site, handle);
    await expectServing(first);
    expect(second.asked, 'the second is for when the first fails').toBe(0);
    await standstill(viewer);

    await first.fail(fault);
    await expectServing(second);
    await expectMovingPicture(viewer);
    const stood = await standstill(viewer);
    console.log(`a CDN that ${words}: the picture stood for ${stood} ms at most`);
    expect(stood).toBeLessThan(5_000);
    await expect(viewer.getByText(/Reconnecting|cannot watch/)).toHaveCount(0);

    // And whoever comes while it fails has a picture as well.
    const late = await watchByLowLatency(people, site, handle);
    await expect(late.getByText(/Reconnecting|cannot watch/)).toHaveCount(0);
  });
}

test('when the other fails as well, viewers go back to the first, which works again', async ({
  people,
  handle,
  atTwo: { site, first, second },
}) => {
  const viewer = await watchByLowLatency(people, site, handle);
  await first.fail('unavailable');
  await expectServing(second);
  await first.heal();
  await second.fail('hangs');
  await expectServing(first);
  await expectMovingPicture(viewer);
  expect(await standstill(viewer)).toBeLessThan(10_000);
});

test('who left a CDN comes back when the server is asked again which to take', async ({
  people,
  handle,
  atTwo: { site, first, second },
}) => {
  const viewer = await people.stranger();
  const told: string[] = [];
  // It says five minutes.
  await viewer.context().route('**/steering.json?*', async (route) => {
    told.push(new URL(route.request().url()).searchParams.get('_HLS_pathway') ?? '');
    const response = await route.fetch();
    const manifest = await response.json();
    expect(manifest['PATHWAY-PRIORITY']).toEqual(['cdn1', 'cdn2']);
    await route.fulfill({ response, json: { ...manifest, TTL: 5 } });
  });
  await viewer.addInitScript(() => localStorage.setItem('tallylight.latency', 'low'));
  await viewer.addInitScript(noteStandstill, PICTURE);
  await viewer.goto(`${site.url}/@${handle}`);
  await expectServing(first);
  await first.fail('refuses');
  await expectServing(second);
  await first.heal();
  await expectServing(first);
  await expectMovingPicture(viewer);
  expect(told).toContain('cdn2');
  await expect(viewer.getByText(/Reconnecting|cannot watch/)).toHaveCount(0);
});
