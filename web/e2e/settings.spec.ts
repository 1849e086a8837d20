import { createHmac } from 'node:crypto';
import { expect, look, test } from './harness';
import { png } from './png';

/** A code of RFC 6238, as an authenticator app makes it. */
function appCode(secret: string, at = Date.now()): string {
  const bits = [...secret.replace(/=/g, '')]
    .map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c.toUpperCase()).toString(2).padStart(5, '0'))
    .join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const mac = createHmac('sha1', key).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

const PASSWORD = 'correct horse battery';

test('an invite makes an account, which is kept safe, used by programs, and left', async ({
  people,
  site,
}) => {
  const page = await people.stranger();
  await page.goto('/signup');
  await expect(page.getByText('Signing up needs an invite')).toBeVisible();
  await look(page, 'signup-invite-needed');

  const { code } = await site.api<{ code: string }>('POST', '/admin/invites', { note: 'for Vic' });
  await page.goto('about:blank');
  await page.goto(`/signup#${code}`);
  await page.getByLabel('Name').fill('Vic');
  await page.getByLabel('Password').fill('short');
  await expect(page.getByText('At least 8 characters.', { exact: true })).toBeVisible();
  await look(page, 'signup');
  expect(page.url(), 'the code stays in no history').not.toContain(code);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Make the account' }).click();
  await expect(page).toHaveURL(`${site.url}/`);

  await page.getByRole('button', { name: 'Vic' }).click();
  await page.getByRole('menuitem', { name: 'Settings' }).click();
  await page.getByLabel('Name').fill('Victor');
  await page.getByRole('button', { name: 'Save the profile' }).click();
  await expect(page.getByText('Saved')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Victor' })).toBeVisible();
  await page
    .getByLabel('Choose a picture')
    .setInputFiles({ name: 'me.png', mimeType: 'image/png', buffer: png(600, 400) });
  await page.getByRole('dialog').getByRole('button', { name: 'Use this part' }).click();
  await expect(page.getByRole('button', { name: 'Change the picture' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Victor' }).locator('img')).toBeVisible();
  await page.getByLabel('Address').fill('vic@example.org');
  await page.getByLabel('Your password').fill(PASSWORD);
  await look(page, 'settings-profile');
  await page.getByRole('button', { name: 'Change the address' }).click();
  await expect(page.getByText('Not confirmed')).toBeVisible();
  await page.getByRole('button', { name: 'Remove the picture' }).click();
  await expect(page.getByRole('button', { name: 'Upload a picture' })).toBeVisible();

  await page.getByRole('link', { name: 'Security' }).click();
  await page.getByRole('button', { name: 'Set up an app' }).click();
  await page.getByRole('dialog').getByLabel('Your password').fill('wrong');
  await page.getByRole('dialog').getByRole('button', { name: 'Continue' }).click();
  await expect(page.getByRole('dialog').getByRole('alert')).toContainText('wrong');
  await look(page, 'settings-confirm');
  await page.getByRole('dialog').getByLabel('Your password').fill(PASSWORD);
  await page.getByRole('dialog').getByRole('button', { name: 'Continue' }).click();
  await expect(page.getByRole('img', { name: /QR code/ })).toBeVisible();
  const secret = (await page.locator('code').first().textContent()) ?? '';
  await look(page, 'settings-app');
  await page.getByLabel('Code that the app shows').fill(appCode(secret));
  await page.getByRole('button', { name: 'Turn on' }).click();
  await expect(page.getByText('Keep these codes now')).toBeVisible();
  const codes = await page.locator('ul.font-mono li').allTextContents();
  await look(page, 'settings-recovery');
  await page.getByRole('button', { name: 'I have kept them' }).click();
  await expect(page.getByText('You have 10 recovery codes left')).toBeVisible();
  await look(page, 'settings-security');

  await page.getByRole('link', { name: 'Tokens' }).click();
  await expect(page.getByRole('link', { name: 'API reference' })).toHaveAttribute('href', '/api/docs');
  await page.getByLabel('Name').fill('Stream deck');
  await page.getByLabel('Streams: change').check();
  await page.getByRole('button', { name: 'Make the token' }).click();
  await expect(page.getByText('Keep this token now')).toBeVisible();
  await look(page, 'settings-token');
  await page.getByRole('button', { name: 'I have kept it' }).click();
  await look(page, 'settings-tokens');
  await page.getByRole('button', { name: 'Delete the token Stream deck' }).click();
  await expect(page.getByText('No program acts for you yet')).toBeVisible();

  await page.getByRole('button', { name: 'Victor' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.goto('/login?next=/settings/data');
  await page.getByLabel('Name or e-mail address').fill('victor');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { name: 'Confirm that it is you' })).toBeVisible();
  await look(page, 'login-code');
  await page.getByLabel('Code').fill(codes[0] ?? '');
  await page.getByRole('button', { name: 'Continue' }).click();
  await expect(page).toHaveURL(`${site.url}/settings/data`);

  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download your data' }).click();
  expect((await download).suggestedFilename()).toBe('tallylight-account.json');
  await look(page, 'settings-data');
  await page.getByRole('button', { name: 'Delete your account' }).click();
  await page.getByRole('dialog').getByLabel('Your password').fill(PASSWORD);
  await page.getByRole('dialog').getByRole('button', { name: 'Delete everything' }).click();
  await expect(page.getByRole('link', { name: 'Sign in' })).toBeVisible();
  const answer = await page.request.post(`${site.url}/api/auth/login`, {
    data: { name: 'victor', password: PASSWORD },
    headers: { Origin: site.url },
  });
  expect(answer.status()).toBe(401);
});

test('links from mails say what is wrong with them', async ({ people }) => {
  const page = await people.stranger();
  await page.goto('/forgot');
  await expect(page.getByText('This server sends no mail')).toBeVisible();
  await look(page, 'forgot');
  await page.goto('/reset');
  await expect(page.getByText('This link is not whole')).toBeVisible();
  await page.goto('/reset#nonsense');
  await page.reload();
  await page.goto('about:blank');
  await page.goto('/reset#nonsense');
  await page.getByLabel('New password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Change the password' }).click();
  await expect(page.getByRole('alert')).toContainText('used already or is too old');
  await look(page, 'reset-over');
  await page.goto('about:blank');
  await page.goto('/verify#nonsense');
  await page.getByRole('button', { name: 'Confirm the address' }).click();
  await expect(page.getByRole('alert')).toContainText('used already or is too old');
  await look(page, 'verify-over');
});
