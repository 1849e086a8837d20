/** Signing in with another provider, as a person meets it. */
import { expect, look, People, Site, test } from './harness';
import { Provider } from './provider';

test('somebody signs in with a provider, comes back where they were, and keeps a way in', async ({
  browser,
}) => {
  const provider = await Provider.start();
  const site = await Site.setUp(`\n[accounts]\nregistration = "open"\n${provider.config}`);
  const people = new People(browser, site);
  const page = await people.stranger();
  await page.goto('/login?next=/settings/security');
  await expect(page.getByRole('link', { name: 'Continue with Work account' })).toBeVisible();
  await look(page, 'login-provider');
  await page.getByRole('link', { name: 'Continue with Work account' }).click();
  await page.getByRole('link', { name: 'I am Grace' }).click();
  await expect(page).toHaveURL(`${site.url}/settings/security`);
  await expect(page.getByRole('button', { name: 'Grace' })).toBeVisible();
  await expect(page.getByText('Work account: Grace')).toBeVisible();
  await look(page, 'settings-provider');
  await page.getByRole('button', { name: 'Unlink Work account' }).click();
  await expect(page.getByRole('alert')).toContainText('set a password first');

  // The same way back a second time leads to words, not in.
  const other = await people.stranger();
  await other.goto('/api/auth/oidc/work/callback?code=x&state=y');
  await expect(other).toHaveURL(/\/login\?problem=oidc_over/);
  await expect(other.getByRole('alert')).toContainText('Begin again');
  await look(other, 'login-provider-over');

  await people.leave();
  await site.server.stop();
  await provider.stop();
});
