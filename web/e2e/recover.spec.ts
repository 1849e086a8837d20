import { expect, expectMovingPicture, expectQuiet, goLive, look, test } from './harness';

test('an ICE restart changes the path and nobody notices', async ({ people, ownChannel: channel }) => {
  const studio = await people.creator();
  await goLive(studio, channel.handle);
  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);

  const patched = studio.waitForResponse((response) => response.request().method() === 'PATCH');
  // What a browser says when the network changes.
  await studio.evaluate(() => dispatchEvent(new Event('online')));
  const answer = await patched;
  expect(answer.status()).toBe(200);
  expect(answer.headers().etag).toMatch(/^"/);
  await expectMovingPicture(viewer);
  await expect(studio.getByText(/^On air \d/)).toBeVisible();
  await expect(viewer.getByText('Host reconnecting')).toHaveCount(0);
});

test('a reloaded studio goes on with the same stream while viewers wait', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const studio = await people.creator();
  await goLive(studio, channel.handle);
  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);
  const before = await site.api<{ started_at: string }>('GET', `/channels/${channel.handle}`);

  // Away for a while, so that the viewer sees it.
  await studio.goto('about:blank');
  await expect(viewer.getByText('Host reconnecting')).toBeVisible();
  await expect(viewer.getByRole('link', { name: 'See who is live' })).toBeVisible();
  await look(viewer, 'watch-host-reconnecting');
  await studio.goto(`/studio?channel=${channel.handle}`);
  await expect(studio.getByText(/^On air \d/)).toBeVisible({ timeout: 30_000 });

  await expect(viewer.getByText('Host reconnecting')).toHaveCount(0, { timeout: 30_000 });
  await expectMovingPicture(viewer);
  const after = await site.api<{ started_at: string; state: string }>('GET', `/channels/${channel.handle}`);
  expect(after).toMatchObject({ state: 'live', started_at: before.started_at });
});

test('what was switched off is off after a reload, too', async ({ people, ownChannel: channel }) => {
  const studio = await people.creator();
  await goLive(studio, channel.handle);
  await studio.getByRole('button', { name: 'Camera off' }).click();
  await studio.getByRole('button', { name: 'Mute microphone' }).click();
  await studio.reload();
  await expect(studio.getByText(/^On air \d/)).toBeVisible({ timeout: 30_000 });
  await expect(studio.getByRole('button', { name: 'Camera on' })).toBeEnabled();
  await expect(studio.getByRole('button', { name: 'Unmute microphone' })).toBeEnabled();
});

test('a cut network brings both sides back to the same stream', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const studio = await people.creator();
  await goLive(studio, channel.handle);
  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);

  site.server.freeze(true);
  try {
    await expect(studio.getByText('Your connection dropped')).toBeVisible({ timeout: 30_000 });
    await expect(viewer.getByText('Reconnecting', { exact: true })).toBeVisible({ timeout: 30_000 });
    await expectQuiet(studio);
    await expect(viewer.getByText(/^(Next try in|Trying again)/)).toBeVisible();
    await look(studio, 'studio-reconnecting');
    await look(viewer, 'watch-reconnecting');
  } finally {
    site.server.freeze(false);
  }
  await expect(studio.getByText(/^On air \d/)).toBeVisible({ timeout: 30_000 });
  await expectMovingPicture(viewer);
});
