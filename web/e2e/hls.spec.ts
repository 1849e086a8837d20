import type { Page } from '@playwright/test';
import {
  expect,
  expectMovingPicture,
  firstPicture,
  goLive,
  hlsReady,
  look,
  noteFirstPicture,
  PICTURE,
  test,
  wake,
} from './harness';

/** While `blocked`, the candidates of every answer lead nowhere: what a firewall leaves of WebRTC. */
async function behindFirewall(page: Page): Promise<{ blocked: boolean }> {
  const wall = { blocked: true };
  await page.route('**/whep/*', async (route) => {
    if (route.request().method() !== 'POST' || !wall.blocked) return route.continue();
    const response = await route.fetch();
    const body = (await response.text()).replace(/^(a=candidate:\S+ \d+ \S+ \d+ \S+) \d+/gm, '$1 9');
    await route.fulfill({ response, body });
  });
  return wall;
}

test('a viewer whose network blocks media has LL-HLS, is told so, and gets back', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const studio = await people.creator();
  await goLive(studio, channel.handle, '&codec=h264');
  await hlsReady(site, channel.handle);

  const viewer = await people.stranger();
  const wall = await behindFirewall(viewer);
  await viewer.addInitScript(noteFirstPicture, PICTURE);
  const counted = viewer.waitForResponse(/\/playback-changes$/);
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);
  expect((await counted).status(), 'the change is counted').toBe(204);
  console.log(`blocked: first picture ${await firstPicture(viewer)} ms after the navigation`);
  // On a machine that is out of breath it may have gone on to a larger buffer by now.
  const notice = viewer.getByText(/^Switched to (low latency|stable)$/);
  await expect(notice).toBeVisible();
  await expect(viewer.getByRole('button', { name: /^Latency: (Low latency|Stable) \d/ })).toBeVisible();
  await viewer.keyboard.press('Shift+S');
  const statistics = viewer.getByRole('region', { name: 'Statistics' });
  await expect(statistics).toContainText('HLS by hls.js');
  await expect(statistics).toContainText('Instant → Low latency. No direct connection came up.');
  await look(viewer, 'watch-fallen', true);
  await viewer.keyboard.press('Shift+S');
  await wake(viewer);
  await viewer.getByRole('button', { name: /^Latency/ }).click();
  await look(viewer, 'watch-latency-menu');
  await viewer.keyboard.press('Escape');

  await viewer.getByRole('button', { name: 'Back to instant' }).click();
  await expect(viewer.getByText('Instant does not work yet', { exact: false })).toBeVisible();
  wall.blocked = false;
  await viewer.getByRole('button', { name: 'Back to instant' }).click();
  await expect(viewer.getByRole('button', { name: /^Latency: Instant/ })).toBeVisible();
  await expect(notice).toHaveCount(0);
  await expectMovingPicture(viewer);
});

/** Seconds behind live as a listener of the slider hears it; 0 is live. */
async function behind(page: Page): Promise<number> {
  const words = (await page.getByRole('slider', { name: 'Position' }).getAttribute('aria-valuetext')) ?? '';
  const [, minutes = '0'] = /(\d+) minute/.exec(words) ?? [];
  const [, seconds = '0'] = /(\d+) second/.exec(words) ?? [];
  return Number(minutes) * 60 + Number(seconds);
}

test('a viewer goes back in the stream and returns to instant', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  test.slow();
  const studio = await people.creator();
  await goLive(studio, channel.handle, '&codec=h264');
  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);
  await hlsReady(site, channel.handle);
  const bar = viewer.getByRole('slider', { name: 'Position' });
  await expect(bar).toBeVisible({ timeout: 30_000 });
  expect(await behind(viewer)).toBe(0);

  // As much of the past as is gone back into must exist.
  const length = async () => Number(await bar.getAttribute('aria-valuemax'));
  await expect.poll(length, { timeout: 60_000 }).toBeGreaterThan(35);
  await viewer.keyboard.press('j');
  await viewer.keyboard.press('j');
  await wake(viewer);
  await expect(viewer.getByRole('button', { name: /^Latency: (Low latency|Stable)/ })).toBeVisible();
  await expectMovingPicture(viewer);
  expect(await behind(viewer)).toBeGreaterThan(12);
  expect(await behind(viewer)).toBeLessThan(40);
  await wake(viewer);
  await bar.hover();
  await expect(bar.locator('img')).toBeVisible();
  await look(viewer, 'watch-rewound', true);

  // The picture stands while it is paused, and goes on from there.
  await viewer.keyboard.press('k');
  const before = await behind(viewer);
  await expect.poll(() => behind(viewer)).toBeGreaterThan(before + 3);
  await viewer.keyboard.press('k');
  await expectMovingPicture(viewer);
  await expect(viewer.getByRole('button', { name: /^Go live/ })).toBeVisible();

  await bar.focus();
  await viewer.keyboard.press('Home');
  await expect.poll(() => behind(viewer)).toBeGreaterThan(before + 10);
  await viewer.keyboard.press('End');
  await expect(viewer.getByRole('button', { name: /^Latency: Instant/ })).toBeVisible();
  await expectMovingPicture(viewer);
  expect(await behind(viewer)).toBe(0);
  await viewer.keyboard.press('Shift+S');
  const statistics = viewer.getByRole('region', { name: 'Statistics' });
  await expect(statistics).toContainText('You went back in the stream.');

  // Who pauses for long gives the connection back, and goes on where the picture stood.
  await viewer.keyboard.press('k');
  await expect(viewer.getByRole('button', { name: /^Latency: (Low latency|Stable)/ })).toBeVisible({
    timeout: 40_000,
  });
  const still = () => viewer.locator(PICTURE).evaluate((video: HTMLVideoElement) => video.paused);
  expect(await still()).toBe(true);
  await viewer.keyboard.press('k');
  await expectMovingPicture(viewer);
  expect(await behind(viewer)).toBeGreaterThan(5);
});
