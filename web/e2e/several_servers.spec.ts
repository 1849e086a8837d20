/** Two servers that are one: what is on air at one is watched at the other, in a browser. */
import { test as base } from '@playwright/test';
import { expect, expectMovingPicture, goLive, hlsReady, look, People, PICTURE, Site } from './harness';
import { Server } from './server';
import { freePort, type Shared, startShared } from './shared';

interface Two {
  /** Where it is set up, and publishers come. */
  one: Site;
  two: Server;
}

const test = base.extend<object, { shared: Shared; servers: Two }>({
  shared: [
    async ({ browserName: _ }, use) => {
      const shared = await startShared();
      await use(shared);
      await shared.stop();
    },
    { scope: 'worker' },
  ],
  servers: [
    async ({ shared }, use) => {
      const environment = async () => {
        const port = await freePort();
        const url = `http://127.0.0.1:${port}`;
        return { ...shared.environment, TALLYLIGHT_HTTP: `127.0.0.1:${port}`, TALLYLIGHT_CLUSTER_URL: url };
      };
      const one = await Site.setUp('', await environment());
      const two = await Server.start('', await environment(), one.server);
      await use({ one, two });
      await two.stop();
      await one.server.stop();
    },
    { scope: 'worker' },
  ],
});

test('what is on air at one server is watched at another, and its page knows all of it', async ({
  browser,
  servers: { one, two },
}) => {
  test.slow();
  const people = new People(browser, one);
  const studio = await people.creator();
  await goLive(studio, 'ada', '&codec=h264');
  await hlsReady(one, 'ada');

  const viewer = await people.stranger();
  await viewer.goto(`${two.url}/`);
  await viewer.getByRole('link', { name: /Ada/ }).first().click();
  await expectMovingPicture(viewer);
  await viewer.keyboard.press('Shift+S');
  const statistics = viewer.getByRole('region', { name: 'Statistics' });
  await expect(statistics).toContainText('WebRTC over');
  await look(viewer, 'watch-at-another-server');
  await viewer.keyboard.press('Shift+S');
  await expect(studio.getByTestId('viewers')).toHaveText('1');

  // Another layer, by a request about the session.
  await viewer.getByRole('region', { name: /^Live video/ }).hover();
  await viewer.getByRole('button', { name: /^Quality/ }).click();
  await viewer.getByRole('menuitemradio', { name: /^180p/ }).click();
  const height = () => viewer.locator(PICTURE).evaluate((video: HTMLVideoElement) => video.videoHeight);
  await expect.poll(height, { timeout: 30_000 }).toBe(180);

  // By HLS, whose files come from the other server.
  await viewer.getByRole('region', { name: /^Live video/ }).hover();
  await viewer.getByRole('button', { name: /^Latency/ }).click();
  await viewer.getByRole('menuitemradio', { name: /^Low latency/ }).click();
  await expect(viewer.getByRole('button', { name: /^Latency: (Low latency|Stable)/ })).toBeVisible();
  await expectMovingPicture(viewer);

  await one.api('POST', '/channels/ada/end');
  await expect(viewer.getByText('The stream has ended')).toBeVisible();
  await people.leave();
});
