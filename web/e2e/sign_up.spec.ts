/** Making an account whose address must be confirmed before anybody can sign in. */
import { expect, look, People, Site, test } from './harness';
import { freePort, Mailbox } from './mailbox';

const PASSWORD = 'correct horse battery';

test('a link that did not come is sent again, from both pages, and opens the account', async ({
  browser,
}) => {
  const [mailbox, port] = [await Mailbox.open(), await freePort()];
  const rules = '\n[accounts]\nregistration = "open"\nrequire_email = true\n';
  const site = await Site.setUp(mailbox.config + rules, {
    TALLYLIGHT_HTTP_LISTEN: `127.0.0.1:${port}`,
    TALLYLIGHT_HTTP_PUBLIC_URL: `http://127.0.0.1:${port}`,
  });
  const people = new People(browser, site);
  const page = await people.stranger();
  const letters = (to: string) => mailbox.letters.filter((letter) => letter.includes(`To: ${to}`)).length;
  const again = page.getByRole('button', { name: 'Send the link again' });

  await page.goto('/signup');
  await page.getByLabel('Name').fill('Vic');
  await page.getByLabel('E-mail address').fill('vic@example.org');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Make the account' }).click();
  await expect(page.getByRole('heading', { name: 'Open the link in your mail' })).toBeVisible();
  await expect.poll(() => letters('vic@example.org')).toBe(1);
  await again.click();
  await expect(page.getByText('It is on its way.')).toBeVisible();
  await expect.poll(() => letters('vic@example.org')).toBe(2);
  await look(page, 'signup-link-sent');

  await page.getByRole('link', { name: 'To the sign-in page' }).click();
  await page.getByLabel('Name or e-mail address').fill('Vic');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toContainText('Your address is not confirmed yet');
  await page.getByLabel('E-mail address', { exact: true }).fill('victor@example.org');
  await again.click();
  await expect.poll(() => letters('victor@example.org')).toBe(1);
  await look(page, 'login-unconfirmed');

  const link = /http:\/\/\S+\/verify#[\w-]+/.exec(mailbox.letters.at(-1) ?? '')?.[0];
  await page.goto(link ?? '');
  await page.getByRole('button', { name: 'Confirm the address' }).click();
  await expect(page.getByRole('heading', { name: 'Your address is confirmed' })).toBeVisible();
  await look(page, 'verify-done');
  await page.getByRole('link', { name: 'Sign in' }).last().click();
  await page.getByLabel('Name or e-mail address').fill('victor@example.org');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('button', { name: 'Vic' })).toBeVisible();

  await people.leave();
  await site.server.stop();
  mailbox.close();
});
