import { ACCOUNT, expect, look, test } from './harness';

test('a wrong password is told, the right one leads where one was going', async ({ people, site }) => {
  const page = await people.stranger();
  await page.goto('/dashboard');
  await expect(page).toHaveURL(/\/login\?next=/);
  await page.getByLabel('Name or e-mail address').fill(ACCOUNT.name);
  await page.getByLabel('Password').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toContainText('Name or password is wrong');
  await look(page, 'login-wrong');

  await page.getByLabel('Password').fill(ACCOUNT.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(`${site.url}/dashboard`);
  await expect(page.getByRole('heading', { name: 'Dashboard' })).toBeVisible();

  await page.getByRole('button', { name: ACCOUNT.name }).click();
  await look(page, 'account-menu');
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await expect(page.getByRole('link', { name: 'Sign in' })).toBeVisible();
});

test('a link that leads to another site after signing in does not', async ({ people, site }) => {
  const page = await people.stranger();
  await page.goto('/login?next=//example.org/');
  await page.getByLabel('Name or e-mail address').fill(ACCOUNT.name);
  await page.getByLabel('Password').fill(ACCOUNT.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(`${site.url}/studio`);
});

test('pages that are not there say so', async ({ people }) => {
  const page = await people.stranger();
  await page.goto('/nowhere');
  await expect(page.getByRole('heading', { name: 'There is no page here' })).toBeVisible();
  await look(page, 'not-found');
  await page.goto('/@%E0');
  await expect(page.getByText(/^There is no (page here|channel @)/).first()).toBeVisible();
  await look(page, 'address-broken');
  await page.goto('/@nobody_of_this_name');
  await expect(page.getByText('There is no channel @nobody_of_this_name')).toBeVisible();
  await look(page, 'watch-not-found');
});
