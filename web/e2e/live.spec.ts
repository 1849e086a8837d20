import type { Page } from '@playwright/test';
import {
  endStream,
  expect,
  expectMovingPicture,
  expectSize,
  goLive,
  look,
  openStudio,
  PICTURE,
  test,
} from './harness';

async function chooseQuality(page: Page, name: RegExp): Promise<void> {
  await page.getByRole('region', { name: /^Live video/ }).hover();
  await page.getByRole('button', { name: /^Quality/ }).click();
  await page.getByRole('menuitemradio', { name }).click();
}

for (const codec of ['H264', 'VP8']) {
  test(`${codec} with three layers: two people watch and choose`, async ({ people, ownChannel: channel }) => {
    test.slow();
    const studio = await people.creator();
    await goLive(studio, channel.handle, `&codec=${codec.toLowerCase()}`);
    const [one, two] = [await people.stranger(), await people.stranger()];
    await Promise.all([one.goto(`/@${channel.handle}`), two.goto(`/@${channel.handle}`)]);
    await Promise.all([expectMovingPicture(one), expectMovingPicture(two)]);
    await expect(studio.getByTestId('viewers')).toHaveText('2');
    await expect(one.getByRole('button', { name: 'Tap for sound' })).toBeVisible();

    for (const [name, size] of [
      [/^720p/, '1280x720'],
      [/^180p/, '320x180'],
      [/^360p/, '640x360'],
    ] as const) {
      await chooseQuality(one, name);
      await expectSize(one, size);
      await expectMovingPicture(one);
    }
    await chooseQuality(one, /^Audio only/);
    await expect(one.getByText('You chose to listen without a picture.')).toBeVisible();
    await expect(one.getByRole('button', { name: /^Latency: Instant/ })).toBeVisible();
    await one.getByRole('button', { name: 'Show the picture' }).click();
    await expectMovingPicture(one);
    await chooseQuality(one, /^Auto/);
    await expectMovingPicture(one);
    await expectMovingPicture(two);

    await one.keyboard.press('Shift+S');
    const statistics = one.getByRole('region', { name: 'Statistics' });
    await expect(statistics).toContainText(codec);
    await expect(statistics).toContainText('WebRTC over');
    await look(one, `watch-live-${codec.toLowerCase()}`);
    await look(studio, `studio-on-air-${codec.toLowerCase()}`);

    await endStream(studio);
    await expect(one.getByText('The stream has ended')).toBeVisible();
    await expect(two.getByText('The stream has ended')).toBeVisible();
    await expect(studio.getByText('Your stream has ended')).toBeVisible();
    await look(one, 'watch-ended');
  });
}

test('an offline page starts by itself when the channel goes live', async ({
  people,
  ownChannel: channel,
}) => {
  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expect(viewer.getByText(`${channel.name} is offline`)).toBeVisible();
  await look(viewer, 'watch-offline');

  const studio = await people.creator();
  await goLive(studio, channel.handle);
  await expectMovingPicture(viewer);
  await expect(viewer.getByText('Live', { exact: true }).first()).toBeVisible();

  const home = await people.stranger();
  await home.goto('/');
  await expect(home.getByRole('link', { name: new RegExp(channel.name) })).toBeVisible();
  await look(home, 'home-live');

  await endStream(studio);
  await expect(viewer.getByText('The stream has ended')).toBeVisible();
  await studio.getByRole('button', { name: 'Go live' }).click();
  await expectMovingPicture(viewer);
});

test('the volume can be set on a phone, too', async ({ people, ownChannel: channel }) => {
  const studio = await people.creator();
  await goLive(studio, channel.handle);
  const viewer = await people.stranger();
  await viewer.setViewportSize({ width: 390, height: 844 });
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);
  await viewer.getByRole('button', { name: 'Tap for sound' }).click();
  const volume = viewer.getByRole('slider', { name: 'Volume' });
  await expect(volume).toBeVisible();
  await look(viewer, 'watch-sound');
  await viewer.setViewportSize({ width: 390, height: 844 });
  await viewer.mouse.move(200, 200);
  const { x = 0, y = 0, width = 0, height = 0 } = (await volume.boundingBox()) ?? {};
  expect(height).toBeGreaterThanOrEqual(44);
  await viewer.mouse.click(x + width / 2, y + height / 2);
  const level = () => viewer.locator(PICTURE).evaluate((video: HTMLVideoElement) => video.volume);
  await expect.poll(level).toBeCloseTo(0.5, 1);
});

test('a join that takes long can be tried again', async ({ people, ownChannel: channel }) => {
  const viewer = await people.stranger();
  await viewer.addInitScript(() => {
    const { fetch } = window;
    window.fetch = (input, init) =>
      String(input).includes('/whep/') ? new Promise(() => undefined) : fetch(input, init);
    Object.assign(window, { letThrough: () => Object.assign(window, { fetch }) });
  });
  await viewer.goto(`/@${channel.handle}`);
  await expect(viewer.getByText('Connecting', { exact: true })).toBeVisible();
  // Chat has one of its own, while it connects.
  const again = viewer.getByRole('region', { name: /^Live video/ }).getByRole('button', { name: 'Try now' });
  await expect(again).toBeVisible();
  await look(viewer, 'watch-connecting');
  await viewer.evaluate('letThrough()');
  await again.click();
  await expect(viewer.getByText(`${channel.name} is offline`)).toBeVisible();
});

test('the player obeys its keys', async ({ people, ownChannel: channel }) => {
  const studio = await people.creator();
  await goLive(studio, channel.handle);
  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);
  const video = viewer.locator(PICTURE);
  const muted = () => video.evaluate((element: HTMLVideoElement) => element.muted);
  const paused = () => video.evaluate((element: HTMLVideoElement) => element.paused);

  await viewer.keyboard.press('m');
  await expect.poll(muted).toBe(false);
  await expect(viewer.getByRole('button', { name: 'Tap for sound' })).toHaveCount(0);
  await viewer.keyboard.press('ArrowDown');
  await expect.poll(() => video.evaluate((element: HTMLVideoElement) => element.volume)).toBeLessThan(1);
  await viewer.keyboard.press('k');
  await expect.poll(paused).toBe(true);
  await viewer.keyboard.press('End');
  await expect.poll(paused).toBe(false);
  await video.dblclick();
  await expect.poll(() => viewer.evaluate(() => document.fullscreenElement !== null)).toBe(true);
  await expect.poll(paused).toBe(false);
  await expectMovingPicture(viewer);
  await viewer.keyboard.press('f');
  await expect.poll(() => viewer.evaluate(() => document.fullscreenElement !== null)).toBe(false);
  await video.click();
  await expect.poll(paused).toBe(true);
  await video.click();
  await expect.poll(paused).toBe(false);
  await viewer.keyboard.press('t');
  await expect(viewer.getByRole('banner')).toHaveCount(0);
  await look(viewer, 'watch-theater');
  await viewer.keyboard.press('Escape');
  await expect(viewer.getByRole('banner')).toBeVisible();
  await viewer.keyboard.press('?');
  await expect(viewer.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  await look(viewer, 'watch-shortcuts');
});

test('the creator mutes, stops the camera and loses it, and the stream goes on', async ({
  people,
  ownChannel: channel,
}) => {
  const studio = await people.creator();
  await openStudio(studio, channel.handle);
  await look(studio, 'studio-green-room');
  await studio.getByRole('button', { name: 'Go live' }).click();
  await expect(studio.getByText(/^On air \d/)).toBeVisible();
  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);

  await studio.locator('body').press('m');
  await expect(studio.getByRole('button', { name: 'Unmute microphone' })).toBeVisible();
  await studio.locator('body').press('m');
  await studio.getByRole('button', { name: 'Camera off' }).click();
  await expectMovingPicture(viewer);
  await studio.getByRole('button', { name: 'Camera on' }).click();
  await expectMovingPicture(viewer);

  await studio.locator('video').evaluate((video: HTMLVideoElement) => {
    const [track] = (video.srcObject as MediaStream).getVideoTracks();
    track?.dispatchEvent(new Event('ended'));
  });
  await expect(studio.getByText('The camera was unplugged')).toBeVisible();
  await expectMovingPicture(viewer);
  await look(studio, 'studio-unplugged');
  await expect(studio.getByText(/^On air \d/)).toBeVisible();
});

for (const [error, message, words] of [
  ['NotAllowedError', 'Permission denied by system', 'Your system blocks the camera'],
  ['NotReadableError', 'Could not start video source', 'The camera is in use'],
  ['NotFoundError', 'Requested device not found', 'No camera found'],
] as const) {
  test(`the studio explains ${error}`, async ({ people, ownChannel: channel }) => {
    const studio = await people.creator();
    await studio.addInitScript(
      ([name, text]) => {
        navigator.mediaDevices.getUserMedia = async () => {
          throw new DOMException(text, name);
        };
      },
      [error, message],
    );
    await openStudio(studio, channel.handle);
    await expect(studio.getByText(words)).toBeVisible();
    await look(studio, `studio-${error}`);
  });
}
