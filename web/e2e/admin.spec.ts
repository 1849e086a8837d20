/** What an admin does: invites, gives roles, ends a stream, changes settings, and finds it all in the log. */
import { Ffmpeg, H264, TEST_CARD } from './ffmpeg';
import { expect, hlsReady, look, People, Site, test } from './harness';

const PASSWORD = 'correct horse battery';

test('an admin invites, changes a role, ends a live stream, and sees it in the log', async ({ browser }) => {
  // Every page of the administration, each looked at three times.
  test.slow();
  const site = await Site.setUp('\n[instance]\nrules_url = "https://example.org/rules"\n');
  const people = new People(browser, site);
  const page = await people.creator();
  await page.goto('/');
  await page.getByRole('button', { name: 'Ada' }).click();
  await page.getByRole('menuitem', { name: 'Administration' }).click();
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible();
  await expect(page.getByText('1 admin, 0 creators, 0 viewers')).toBeVisible();
  await look(page, 'admin-overview');
  const sections = page.getByRole('navigation', { name: 'Administration' });

  await sections.getByRole('link', { name: 'Invites' }).click();
  await page.getByLabel('For whom').fill('Vic');
  await page.getByRole('button', { name: 'Make the invite' }).click();
  const link = await page.getByText(/\/signup#/).textContent();
  await look(page, 'admin-invites');
  const guest = await people.stranger();
  await guest.goto(link ?? '');
  await guest.getByLabel('Name').fill('Vic');
  await guest.getByLabel('Password').fill(PASSWORD);
  await guest.getByRole('button', { name: 'Make the account' }).click();
  await expect(guest.getByRole('button', { name: 'Vic' })).toBeVisible();
  await guest.goto('/admin');
  await expect(guest.getByText('These pages are for admins')).toBeVisible();
  await look(guest, 'admin-refused');

  await sections.getByRole('link', { name: 'Accounts' }).click();
  await page.getByLabel('Name or address').fill('vi');
  await expect(page.getByRole('region', { name: 'Accounts' }).getByRole('listitem')).toHaveCount(1);
  await page.getByRole('button', { name: 'What to do with Vic' }).click();
  await look(page, 'admin-account-menu');
  await page.getByRole('menuitem', { name: 'Make creator' }).click();
  await look(page, 'admin-ask');
  await page.getByRole('dialog').getByRole('button', { name: 'Make creator' }).click();
  await expect(page.getByRole('region', { name: 'Accounts' }).getByText('creator')).toBeVisible();
  await page.getByRole('button', { name: 'What to do with Vic' }).click();
  await page.getByRole('menuitem', { name: 'Suspend' }).click();
  await page.getByRole('dialog').getByLabel('Reason').fill('A test');
  await page.getByRole('dialog').getByRole('button', { name: 'Suspend' }).click();
  await expect(page.getByText('Why: A test')).toBeVisible();
  await look(page, 'admin-accounts');
  await guest.goto('/settings');
  await expect(guest).toHaveURL(/\/login/);

  const encoder = await Ffmpeg.publish(site, 'ada', TEST_CARD, H264);
  await hlsReady(site, 'ada');
  await sections.getByRole('link', { name: 'Streams' }).click();
  await expect(page.getByText('640 × 360')).toBeVisible();
  await look(page, 'admin-streams');
  await page.getByRole('button', { name: 'End the stream of @ada' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'End the stream' }).click();
  await expect(page.getByText('Nobody is on air now')).toBeVisible();
  await encoder.stop();

  await sections.getByRole('link', { name: 'Channels' }).click();
  await page.getByRole('button', { name: 'Hide @ada' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Hide' }).click();
  await expect(page.getByRole('button', { name: 'Show @ada' })).toBeVisible();
  await look(page, 'admin-channels');

  await sections.getByRole('link', { name: 'Storage' }).click();
  await expect(page.getByText(/free of/)).toBeVisible();
  await look(page, 'admin-storage');
  await sections.getByRole('link', { name: 'Jobs' }).click();
  await page.getByRole('button', { name: 'Send me a mail' }).click();
  await expect(page.getByRole('alert')).toContainText('mail.host');
  await look(page, 'admin-jobs');

  await sections.getByRole('link', { name: 'Settings' }).click();
  await expect(page.getByLabel('Rules')).toBeDisabled();
  await expect(page.getByText('instance.rules_url')).toBeVisible();
  await page.getByLabel('Announcement').fill('Back at noon');
  await page.getByLabel('Imprint').fill('nonsense');
  await page.getByRole('button', { name: 'Save the settings' }).click();
  await expect(page.getByRole('alert')).toContainText('address such as');
  await page.getByLabel('Imprint').fill('https://example.org/imprint');
  await page.getByLabel('Name', { exact: true }).fill('Radio Ada');
  await page.getByLabel('Accent colour').fill('#ff6a3d');
  await page.getByRole('button', { name: 'Save the settings' }).click();
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  await expect(page.getByRole('note')).toHaveText('Back at noon');
  await expect(page.getByRole('link', { name: 'Imprint' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Radio Ada, home' })).toBeVisible();
  await expect(page).toHaveTitle('Settings · Administration · Radio Ada');
  await expect(sections.getByRole('link', { name: 'Settings' })).toHaveCSS(
    'border-bottom-color',
    'rgb(240, 99, 57)',
  );
  await look(page, 'admin-settings');
  await page.getByRole('button', { name: 'Put back: Announcement' }).click();
  await expect(page.getByRole('note')).toBeHidden();

  await sections.getByRole('link', { name: 'Audit log' }).click();
  for (const act of ['settings.changed', 'channel.hidden', 'stream.ended', 'account.role_changed']) {
    await expect(page.getByText(act).first()).toBeVisible();
  }
  await page.getByRole('button', { name: 'Check the log' }).click();
  await expect(page.getByText(/entries are as they were written/)).toBeVisible();
  await look(page, 'admin-audit');

  await people.leave();
  await site.server.stop();
});
