import { test as base, expect } from '@playwright/test';
import { look } from './harness';
import { Server } from './server';

const test = base.extend<{ server: Server }>({
  // biome-ignore lint/correctness/noEmptyPattern: the runner reads the fixtures' names from this pattern
  server: async ({}, use) => {
    const server = await Server.start();
    await use(server);
    await server.stop();
  },
});

test('the printed link makes the first account and its channel, once', async ({ page, server, browser }) => {
  await page.goto(server.url);
  await expect(page.getByRole('heading', { name: 'This server is new' })).toBeVisible();
  await look(page, 'home-new');

  await page.goto(server.setupLink);
  await page.getByLabel('Your name').fill('Ada Lovelace');
  await expect(page.getByLabel('Channel handle')).toHaveValue('ada_lovelace');
  await page.getByLabel('Password').fill('short');
  await expect(page.getByRole('button', { name: 'Create account' })).toBeDisabled();
  await page.getByLabel('Password').fill('correct horse battery');
  await look(page, 'setup');
  await page.getByRole('button', { name: 'Create account' }).click();

  await expect(page).toHaveURL(`${server.url}/studio`);
  await expect(page.getByRole('heading', { name: 'Studio' })).toBeVisible();
  await expect(page.getByText('@ada_lovelace').first()).toBeVisible();

  const stranger = await (await browser.newContext()).newPage();
  await stranger.goto(server.setupLink);
  await expect(stranger.getByRole('heading', { name: 'This server is set up' })).toBeVisible();
  await stranger.context().close();
});

test('from the printed link to on air without typing an address', async ({ page, server }) => {
  await page.goto(server.setupLink);
  await page.getByLabel('Your name').fill('Ada');
  await page.getByLabel('Password').fill('correct horse battery');
  await page.getByRole('button', { name: 'Create account' }).click();
  await expect(page.getByRole('heading', { name: 'Studio' })).toBeVisible();

  const ask = page.getByRole('button', { name: 'Turn on camera and microphone' });
  const goLive = page.getByRole('button', { name: 'Go live' });
  await expect(async () => {
    // Where the devices were allowed before, the question goes away by itself.
    if (await ask.isVisible()) await ask.click({ timeout: 1000 });
    await expect(goLive).toBeEnabled({ timeout: 1000 });
  }).toPass();
  await expect(page.getByText('blocked for this page')).toHaveCount(0);
  await goLive.click();
  await expect(page.getByText(/^On air \d/)).toBeVisible();
  await expect(page.getByRole('button', { name: 'Camera off' })).toBeEnabled();
  await expect(page.getByRole('button', { name: 'Mute microphone' })).toBeEnabled();
});

test('every way into the studio finds a camera, and Back leads out again', async ({ page, server }) => {
  await page.goto(server.setupLink);
  await page.getByLabel('Your name').fill('Ada');
  await page.getByLabel('Password').fill('correct horse battery');
  await page.getByRole('button', { name: 'Create account' }).click();
  await expect(page.getByRole('heading', { name: 'Studio' })).toBeVisible();

  const camera = () =>
    page.evaluate(() =>
      navigator.mediaDevices.getUserMedia({ video: true }).then(
        () => 'open',
        (error: Error) => error.name,
      ),
    );
  await page.goto(server.url);
  const studio = page.getByRole('navigation').getByRole('link', { name: 'Studio' });
  await studio.hover();
  await expect(page.getByRole('heading', { name: /^(Live now|Nobody is live right now)$/ })).toBeVisible();
  await studio.click();
  await expect(page.getByRole('heading', { name: 'Studio' })).toBeVisible();
  expect(await camera()).toBe('open');
  await page.goBack();
  await expect(page.getByRole('heading', { name: /^(Live now|Nobody is live right now)$/ })).toBeVisible();
  await page.goForward();
  await expect(page.getByRole('heading', { name: 'Studio' })).toBeVisible();
  expect(await camera()).toBe('open');
});

test('a wrong set-up code is refused in words', async ({ page, server }) => {
  await page.goto(`${server.url}/setup#wrong`);
  await page.getByLabel('Your name').fill('Mallory');
  await page.getByLabel('Password').fill('correct horse battery');
  await page.getByRole('button', { name: 'Create account' }).click();
  await expect(page.getByRole('alert')).toContainText('That did not work');
  await expect(page).toHaveURL(/\/setup/);
});
