import { Buffer } from 'node:buffer';
import { expect, look, test } from './harness';
import { png } from './png';

const HOSTILE = `# Rules

Be *kind*, see [my site](https://example.com) and [not this](javascript:document.title='owned').

- one
- two

<script>document.title = 'owned'</script> <img src=x onerror="document.title='owned'">`;

test('a channel gets its face: profile, pictures, links, panels', async ({ people, ownChannel: channel }) => {
  const page = await people.creator();
  await page.goto(`/dashboard/channel?channel=${channel.handle}`);
  const profile = page.locator('section', { has: page.getByRole('heading', { name: 'Profile' }) });
  await profile.getByLabel('Name').fill("Ada's workshop");
  await profile.getByLabel('Description').fill('Wood, brass and patience.\nEvery Friday.');
  await profile.getByLabel('Category').selectOption('making');
  await profile.getByLabel('Language').selectOption('en');
  await profile.getByLabel('Tags').fill('#Wood, brass');
  await profile.getByRole('button', { name: 'Violet' }).click();
  await profile.getByRole('button', { name: 'Save' }).click();
  await expect(profile.getByText('Saved')).toBeVisible();

  await page.getByLabel('Choose a picture').setInputFiles({
    name: 'me.png',
    mimeType: 'image/png',
    buffer: png(600, 400),
  });
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByRole('slider', { name: 'Zoom' })).toBeVisible();
  await dialog.getByRole('application').press('ArrowRight');
  await look(page, 'channel-crop');
  await dialog.getByRole('button', { name: 'Use this part' }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Change the picture' })).toBeVisible();
  await page.getByLabel('Choose a banner').setInputFiles({
    name: 'banner.png',
    mimeType: 'image/png',
    buffer: png(1600, 500),
  });
  await dialog.getByRole('button', { name: 'Use this part' }).click();
  await expect(page.getByAltText('The banner')).toBeVisible();

  const links = page.locator('section', { has: page.getByRole('heading', { name: 'Links' }) });
  await links.getByRole('button', { name: 'Add a link' }).click();
  await links.getByLabel('Words').fill('Code');
  await links.getByLabel('Address').fill('https://github.com/ada');
  await links.getByRole('button', { name: 'Save' }).click();
  await expect(links.getByText('Saved')).toBeVisible();

  const panels = page.locator('section', { has: page.getByRole('heading', { name: 'Panels' }) });
  await panels.getByRole('button', { name: 'Add a panel' }).click();
  await panels.getByLabel('Title').fill('About this place');
  await panels.getByLabel('Text').fill(HOSTILE);
  await panels.getByRole('button', { name: 'Save' }).click();
  await expect(panels.getByText('How they look')).toBeVisible();
  await look(page, 'channel-settings', true);

  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await viewer.getByRole('tab', { name: 'About' }).click();
  await expect(viewer.getByText('Wood, brass and patience.')).toBeVisible();
  await expect(viewer.getByRole('link', { name: /Code/ })).toHaveAttribute('href', 'https://github.com/ada');
  await expect(viewer.getByText("<script>document.title = 'owned'</script>")).toBeVisible();
  await expect(viewer.getByRole('link', { name: 'not this' })).toHaveCount(0);
  expect(await viewer.evaluate(() => document.querySelectorAll('img[src="x"], main script').length)).toBe(0);
  await expect(viewer).not.toHaveTitle(/owned/);
  await viewer.getByRole('tab', { name: 'About' }).scrollIntoViewIfNeeded();
  await look(viewer, 'channel-about', true);
});

test('pictures that hurt are refused in words', async ({ people, ownChannel: channel }) => {
  const page = await people.creator();
  await page.goto(`/dashboard/channel?channel=${channel.handle}`);
  const choose = (name: string, mimeType: string, buffer: Buffer) =>
    page.getByLabel('Choose a banner').setInputFiles({ name, mimeType, buffer });
  await choose('drawing.svg', 'image/svg+xml', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'));
  await expect(page.getByText('SVG drawings are not taken')).toBeVisible();
  await choose('large.png', 'image/png', Buffer.alloc(11 * 1024 * 1024));
  await expect(page.getByText('10 MB is the most')).toBeVisible();
  await look(page, 'channel-picture-refused');
  await choose(
    'bomb.gif',
    'image/gif',
    Buffer.from('47494638396112271227000000002c0000000012271227000202440100 3b'.replace(' ', ''), 'hex'),
  );
  const dialog = page.getByRole('dialog');
  const use = dialog.getByRole('button', { name: 'Use this part' });
  // A browser may refuse to show it at all; else the server refuses it.
  await expect(async () => {
    if (await use.isEnabled()) await use.click({ timeout: 1000 });
    await expect(dialog.getByText(/too many pixels|cannot be read|was not taken/).first()).toBeVisible({
      timeout: 3000,
    });
  }).toPass();
});

test('a channel with a password asks for it, and lets in who knows it', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const page = await people.creator();
  await page.goto(`/dashboard/channel?channel=${channel.handle}`);
  const audience = page.locator('section', { has: page.getByRole('heading', { name: 'Who may watch' }) });
  await audience.getByLabel('Who knows the password').check();
  await audience.getByLabel('Password for viewers').fill('open sesame');
  await audience.getByRole('button', { name: 'Save' }).click();
  await expect(audience.getByText('Saved')).toBeVisible();

  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expect(viewer.getByText('This channel asks for a password')).toBeVisible();
  await look(viewer, 'channel-password');
  const framed = await people.stranger();
  await framed.goto(`/embed/${channel.handle}`);
  await expect(framed.getByText('This channel asks for a password')).toBeVisible();
  const way = framed.getByRole('link', { name: `Watch on ${new URL(site.url).host}` });
  await expect(way).toHaveAttribute('href', `${site.url}/@${channel.handle}`);
  await look(framed, 'embed-password');
  await viewer.getByLabel('Password of the channel').fill('wrong');
  await viewer.getByRole('button', { name: 'Watch' }).click();
  await expect(viewer.getByText('This is not the password')).toBeVisible();
  expect((await viewer.request.get(`${site.url}/hls/${channel.handle}/index.m3u8`)).status()).toBe(403);
  await viewer.getByLabel('Password of the channel').fill('open sesame');
  await viewer.getByRole('button', { name: 'Watch' }).click();
  await expect(viewer.getByText('This channel asks for a password')).toHaveCount(0);
  expect((await viewer.request.get(`${site.url}/hls/${channel.handle}/index.m3u8`)).status()).toBe(404);
});

test('following asks a stranger to sign in, counts, and can be silent', async ({
  people,
  ownChannel: channel,
}) => {
  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await viewer.getByRole('button', { name: 'Follow' }).click();
  await expect(viewer).toHaveURL(/\/login\?next=/);
  const page = await people.creator();
  await page.goto(`/@${channel.handle}`);
  await page.getByRole('button', { name: 'Follow' }).click();
  await expect(page.getByRole('button', { name: 'Following' })).toBeVisible();
  await expect(page.getByText('1 follower', { exact: true }).first()).toBeVisible();

  const bell = page.getByRole('button', { name: 'Mute notifications' });
  await expect(bell).toHaveAttribute('aria-pressed', 'false');
  await look(page, 'channel-following');
  const name = page.getByRole('heading', { name: channel.name });
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await name.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)).toBe(0);
  const muted = page.waitForResponse((answer) => answer.url().endsWith(`/muted-channels/${channel.handle}`));
  await bell.click();
  await expect(bell).toHaveAttribute('aria-pressed', 'true');
  expect((await muted).status()).toBe(204);
  await page.goto('/settings/notifications');
  await expect(page.getByText(`@${channel.handle}`)).toBeVisible();
  await look(page, 'notification-muted');
  await page.getByRole('button', { name: 'Tell me again' }).click();
  await expect(page.getByText(`@${channel.handle}`)).toHaveCount(0);
});

test('moderators are named and dismissed, and a channel is deleted by typing its handle', async ({
  people,
  site,
}) => {
  await site.newChannel('brief', 'Brief');
  const page = await people.creator();
  await page.goto('/dashboard/channel?channel=brief');
  await page.getByLabel('Name of an account').fill('Nobody');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(page.getByText(/Nobody has an account of that name/)).toBeVisible();
  await page.getByRole('button', { name: 'Delete @brief' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByRole('button', { name: 'Delete for ever' })).toBeDisabled();
  await dialog.getByLabel('Type brief to go on').fill('brief');
  await look(page, 'channel-delete');
  await dialog.getByRole('button', { name: 'Delete for ever' }).click();
  await expect(page).toHaveURL(/\/dashboard$/);
  expect((await page.request.get(`${site.url}/api/channels/brief`)).status()).toBe(404);
});
