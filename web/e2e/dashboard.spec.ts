import { expect, expectQuiet, goLive, look, test } from './harness';

/** What the server says to an encoder that uses this key with an empty offer. */
async function statusFor(url: string, key: string): Promise<number> {
  const response = await fetch(`${url}/whip`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp', Authorization: `Bearer ${key}` },
    body: 'v=0\r\n',
  });
  return response.status;
}

test('a stream key is shown once, rotated and revoked', async ({ people, ownChannel: channel, site }) => {
  const page = await people.creator();
  await page.goto(`/dashboard?channel=${channel.handle}`);
  await expect(page.getByText(`${site.url}/whip`)).toBeVisible();
  // As in docs/OBS.md and the advice of the health panel.
  await expect(page.getByText('Keyframe Interval 2 s')).toBeVisible();
  await page.getByRole('button', { name: 'Make a stream key' }).click();
  const shown = page.getByTestId('new-key').locator('code');
  await expect(shown).toBeVisible();
  const first = (await shown.textContent()) ?? '';
  expect(await statusFor(site.url, first)).not.toBe(401);
  await look(page, 'dashboard-key');

  await page.reload();
  await expect(page.getByText('never used')).toBeVisible();
  await expect(page.getByText(first)).toHaveCount(0);

  await page.getByRole('button', { name: 'Rotate key OBS' }).click();
  await page.getByRole('button', { name: 'Rotate key', exact: true }).click();
  await expect(shown).toBeVisible();
  const second = (await shown.textContent()) ?? '';
  expect(second).not.toBe(first);
  expect(await statusFor(site.url, first)).toBe(401);
  expect(await statusFor(site.url, second)).not.toBe(401);

  await page.getByRole('button', { name: 'I have copied it' }).click();
  await expect(shown).toHaveCount(0);
  await page.getByRole('button', { name: 'Revoke key OBS' }).click();
  await page.getByRole('button', { name: 'Revoke key', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Make a stream key' })).toBeVisible();
  expect(await statusFor(site.url, second)).toBe(401);
});

test('the dashboard tells within seconds what arrives, and ends it', async ({
  people,
  ownChannel: channel,
}) => {
  const dashboard = await people.creator();
  await dashboard.goto(`/dashboard?channel=${channel.handle}`);
  await expect(dashboard.getByTestId('ingest-summary')).toContainText('Waiting for media');
  await look(dashboard, 'dashboard-waiting');

  const studio = await people.creator();
  await goLive(studio, channel.handle);
  await expect(dashboard.getByTestId('ingest-summary')).toContainText(
    /Receiving 1280[x×]720 H264 \d+ fps \+ Opus/,
    {
      timeout: 30_000,
    },
  );
  const health = dashboard.getByRole('list', { name: 'Health of the stream' });
  await expect(health.getByRole('listitem')).toHaveCount(8);
  await expect(health).toContainText(/Video, good: H264 [\w ]+, level \d\.\d/);
  await expect(health).toContainText('B-frames, good: none');
  await expect(health).toContainText(/On the way, [\w ]+: .*longest gap \d/);
  const graph = dashboard.getByRole('img', { name: /^Bitrate, last 2 minutes: [\d.]+ .*[kM]bit\/s$/ });
  await expect(graph).toBeVisible();
  await expectQuiet(dashboard);
  await look(dashboard, 'dashboard-live');

  await dashboard.getByRole('button', { name: 'End stream' }).click();
  await dashboard.getByRole('dialog').getByRole('button', { name: 'End stream' }).click();
  await expect(dashboard.getByTestId('ingest-summary')).toContainText('Waiting for media');
  await expect(studio.getByText('Your stream was ended')).toBeVisible({ timeout: 30_000 });
});

test('a server that does not answer is told of, in words and with a way to ask again', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const studio = await people.creator();
  await goLive(studio, channel.handle);
  const [dashboard, home] = [await people.creator(), await people.stranger()];
  await dashboard.goto(`/dashboard?channel=${channel.handle}`);
  await expect(dashboard.getByText('Live', { exact: true })).toBeVisible();
  await home.goto('/');
  await expect(home.getByRole('link', { name: new RegExp(channel.name) })).toBeVisible();

  site.server.freeze(true);
  try {
    for (const page of [dashboard, home]) {
      await expect(page.getByText('The server does not answer')).toBeVisible({ timeout: 30_000 });
      await expect(page.getByText(/^Last heard \d+ seconds ago/)).toBeVisible();
      await expect(page.getByText('Live', { exact: true })).toHaveCount(0);
      await expectQuiet(page);
    }
    await expect(studio.getByText(/^last heard \d+ seconds ago/)).toBeVisible();
    await look(dashboard, 'dashboard-no-answer');
    await look(home, 'home-no-answer');
    await look(studio, 'studio-no-answer');
  } finally {
    site.server.freeze(false);
  }
  await expect(dashboard.getByText('The server does not answer')).toHaveCount(0);
  // The studio may have lost its connection meanwhile, and publishes anew.
  await expect(home.getByText('Live', { exact: true })).toBeVisible({ timeout: 60_000 });
});

test('pages that wait for a first answer say when none comes', async ({ people }) => {
  const page = await people.creator();
  for (const [path, opened] of [
    ['/studio', 'Studio'],
    ['/dashboard', 'Dashboard'],
    ['/', 'Nobody is live right now'],
  ] as const) {
    await page.route(/\/api\/(session|channels|home)\b/, (route) => route.abort());
    await page.goto(path);
    await expect(page.getByText('The server does not answer')).toBeVisible();
    await look(page, `no-answer-${opened.toLowerCase().replace(' ', '-')}`);
    await page.unroute(/\/api\/(session|channels|home)\b/);
    const again = page.getByRole('button', { name: 'Try again' });
    // Home also asks by itself, and then the button is gone before it can be pressed.
    await expect(async () => {
      if (await again.isVisible()) await again.click({ timeout: 1000 });
      await expect(page.getByText('The server does not answer')).toHaveCount(0, { timeout: 2000 });
    }).toPass();
    await expect(page.getByRole('heading', { name: opened, exact: true })).toBeVisible();
  }
});
