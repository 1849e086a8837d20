import type { Page } from '@playwright/test';
import { endStream, expect, expectMovingPicture, goLive, look, PICTURE, test, wake } from './harness';

const position = (page: Page) =>
  page.locator(PICTURE).evaluate((video: HTMLVideoElement) => video.currentTime);

test('a stream that has ended can be watched again', async ({ people, ownChannel: channel }) => {
  const studio = await people.creator();
  await goLive(studio, channel.handle, '&codec=h264');
  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);
  // A recording to seek in.
  await expect(viewer.getByTitle('Time on air')).toHaveText(/^0:(2[5-9]|[3-5]\d)$/, { timeout: 60_000 });
  await endStream(studio);
  await expect(viewer.getByText('The stream has ended')).toBeVisible();
  const past = viewer.getByRole('region', { name: 'Past streams' });
  await expect(past.getByRole('listitem')).toHaveCount(1);
  await look(viewer, 'watch-past-streams', true);

  await past.getByRole('link').click();
  await expect(viewer).toHaveURL(/\/videos\/[0-9a-f-]+$/);
  await expectMovingPicture(viewer);
  const bar = viewer.getByRole('slider', { name: 'Position' });
  expect(Number(await bar.getAttribute('aria-valuemax'))).toBeGreaterThan(15);
  await wake(viewer);
  await bar.hover();
  await expect(bar.locator('img')).toBeVisible();
  await look(viewer, 'video', true);

  await viewer.keyboard.press('k');
  const paused = await position(viewer);
  await viewer.keyboard.press('Home');
  await bar.focus();
  await viewer.keyboard.press('Home');
  await expect.poll(() => position(viewer)).toBeLessThan(1);
  await viewer.keyboard.press('l');
  await expect.poll(() => position(viewer)).toBeGreaterThanOrEqual(10);
  expect(paused).toBeGreaterThan(0);
  await viewer.keyboard.press('>');
  await wake(viewer);
  await expect(viewer.getByRole('button', { name: 'Speed: 1.25×' })).toBeVisible();
  await viewer.keyboard.press('k');
  await expectMovingPicture(viewer);
  await bar.focus();
  await viewer.keyboard.press('End');
  await expect
    .poll(() => viewer.locator(PICTURE).evaluate((video: HTMLVideoElement) => video.ended))
    .toBe(true);

  // A link into it, and the sound alone.
  await viewer.goto(`${viewer.url().split('?')[0]}?t=12s`);
  await expectMovingPicture(viewer);
  expect(await position(viewer)).toBeGreaterThanOrEqual(12);
  await wake(viewer);
  await viewer.getByRole('button', { name: /^Quality/ }).click();
  await viewer.getByRole('menuitemradio', { name: 'Audio only' }).click();
  await expect(viewer.getByText('You chose to listen without a picture.')).toBeVisible();
  await viewer.getByRole('button', { name: 'Show the picture' }).click();
  await expectMovingPicture(viewer);

  await viewer.goto('/videos/01890000-0000-7000-8000-000000000000');
  await expect(viewer.getByRole('heading', { name: 'There is no such video' })).toBeVisible();
  await look(viewer, 'video-missing');
});

test('a creator keeps, renames, downloads and deletes recordings', async ({
  people,
  ownChannel: channel,
}) => {
  const studio = await people.creator();
  await goLive(studio, channel.handle, '&codec=h264');
  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);
  await expect(viewer.getByTitle('Time on air')).toHaveText(/^0:(1[2-9]|[2-5]\d)$/, { timeout: 60_000 });
  await endStream(studio);
  await expect(studio.getByText('Your stream has ended')).toBeVisible();

  const dashboard = studio;
  await dashboard.goto(`/dashboard?channel=${channel.handle}`);
  const row = dashboard
    .getByRole('listitem')
    .filter({ has: dashboard.getByRole('combobox', { name: /^Who may watch/ }) });
  await expect(row).toHaveCount(1);
  const download = row.getByRole('link', { name: /^Download MP4/ });
  const make = row.getByRole('button', { name: /^Make an MP4/ });
  await expect(download.or(make).or(row.getByRole('progressbar'))).toBeVisible({ timeout: 30_000 });
  if (await make.isVisible()) await make.click();
  await expect(download).toBeVisible({ timeout: 60_000 });
  const file = await dashboard.request.get((await download.getAttribute('href')) ?? '');
  expect(file.status()).toBe(200);
  expect((await file.body()).subarray(4, 8).toString()).toBe('ftyp');

  await row.getByRole('button', { name: /^Rename/ }).click();
  await dashboard.getByRole('textbox', { name: 'Title' }).fill('The one with the green clock');
  await dashboard.getByRole('button', { name: 'Save' }).click();
  await expect(row.getByRole('link', { name: 'The one with the green clock' }).first()).toBeVisible();
  await look(dashboard, 'dashboard-recordings', true);
  await row.getByRole('combobox', { name: /^Who may watch/ }).selectOption('private');
  await expect(viewer.getByRole('region', { name: 'Past streams' })).toHaveCount(0);

  const record = dashboard.getByRole('switch', { name: /^Record my streams/ });
  await expect(record).toBeChecked();
  await record.click();
  await expect(record).toBeEnabled();
  await dashboard.reload();
  await expect(record).not.toBeChecked();

  await row.getByRole('button', { name: /^Delete/ }).click();
  await look(dashboard, 'dashboard-delete-recording');
  await dashboard.getByRole('dialog').getByRole('button', { name: 'Keep it' }).click();
  await expect(row).toHaveCount(1);
  await row.getByRole('button', { name: /^Delete/ }).click();
  await dashboard.getByRole('dialog').getByRole('button', { name: 'Delete for ever' }).click();
  await expect(row).toHaveCount(0);
});
