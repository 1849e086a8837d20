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

test('a wrong set-up code is refused in words', async ({ page, server }) => {
  await page.goto(`${server.url}/setup#wrong`);
  await page.getByLabel('Your name').fill('Mallory');
  await page.getByLabel('Password').fill('correct horse battery');
  await page.getByRole('button', { name: 'Create account' }).click();
  await expect(page.getByRole('alert')).toContainText('That did not work');
  await expect(page).toHaveURL(/\/setup/);
});
