import type { Page } from '@playwright/test';
import { joined, log, member, said, say } from './chat_people';
import { endStream, expect, expectMovingPicture, goLive, look, PICTURE, test } from './harness';

const position = (page: Page) =>
  page.locator(PICTURE).evaluate((video: HTMLVideoElement) => video.currentTime);

/** Goes there, and stands still. */
async function seek(page: Page, seconds: number): Promise<void> {
  await page.locator(PICTURE).evaluate((video: HTMLVideoElement, to: number) => {
    video.pause();
    video.currentTime = to;
  }, seconds);
  await expect.poll(() => position(page)).toBeCloseTo(seconds, 0);
}

test.use({ house: 'chat' });

test('what was said is replayed in step with the recording', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  test.slow();
  const studio = await people.creator();
  await goLive(studio, channel.handle, '&codec=h264');
  const { page } = await member(people, site);
  await page.goto(`/@${channel.handle}`);
  await expectMovingPicture(page);
  await joined(page);
  for (const [clock, text] of [
    [/^0:(0[89]|1\d)$/, 'at the beginning'],
    [/^0:2\d$/, 'in the middle'],
    [/^0:3[2-9]$/, 'near the end'],
  ] as const) {
    await expect(page.getByTitle('Time on air')).toHaveText(clock, { timeout: 60_000 });
    await say(page, text);
    await expect(said(page, text)).toBeVisible();
  }
  await page.waitForTimeout(4000);
  const [{ id: stream } = { id: '' }] = (
    await site.api<{ items: { id: string }[] }>('GET', `/streams?channel=${channel.handle}&state=live`)
  ).items;
  await endStream(studio);
  await expect(page.getByText('The stream has ended')).toBeVisible();

  const { items } = await site.api<{ items: { text: string; stream_time_ms: number }[] }>(
    'GET',
    `/streams/${stream}/chat?from_ms=0&to_ms=120000`,
  );
  const at = (text: string) => (items.find((item) => item.text === text)?.stream_time_ms ?? -1) / 1000;
  expect(at('at the beginning')).toBeGreaterThan(5);

  await page.getByRole('region', { name: 'Past streams' }).getByRole('link').click();
  await expectMovingPicture(page);
  await page.keyboard.press('Home');
  const replay = page.getByRole('region', { name: 'Chat replay' });
  await expect(replay).toBeVisible();
  await seek(page, 1);
  await expect(replay.getByText('Nothing was said here', { exact: false })).toBeVisible();
  await look(page, 'video-chat-quiet');

  for (const text of ['at the beginning', 'in the middle', 'near the end']) {
    await seek(page, at(text) - 0.6);
    await expect(said(page, text)).toHaveCount(0);
    await seek(page, at(text) + 0.6);
    await expect(said(page, text)).toBeVisible({ timeout: 5000 });
  }
  await expect(log(page).locator('[data-message]')).toHaveCount(3);
  await seek(page, at('in the middle') + 1);
  await expect(said(page, 'near the end')).toHaveCount(0);
  await expect(said(page, 'at the beginning')).toBeVisible();
  await look(page, 'video-chat', true);

  await page.setViewportSize({ width: 1280, height: 800 });
  await replay.getByRole('button', { name: 'Hide the chat' }).click();
  await expect(replay).toHaveCount(0);
  await page.reload();
  await page.getByRole('button', { name: 'Show the chat' }).click();
  await expect(replay).toBeVisible();

  // What a moderator deletes is gone from the replay, too.
  const middle = items.find((item) => item.text === 'in the middle') as unknown as { id: number };
  await site.api('DELETE', `/channels/${channel.handle}/chat/messages/${middle.id}`);
  await page.reload();
  await expectMovingPicture(page);
  await seek(page, at('near the end') + 1);
  await expect(said(page, 'near the end')).toBeVisible();
  await expect(said(page, 'in the middle')).toHaveCount(0);
});
