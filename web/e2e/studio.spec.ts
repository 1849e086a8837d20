import { endStream, expect, goLive, look, openStudio, People, Site, test } from './harness';

test('leaving the studio on air asks first, by link, by Back and by signing out', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const studio = await people.creator();
  await studio.goto('/dashboard');
  await studio.goto(`/studio?channel=${channel.handle}`);
  await studio.getByRole('navigation').getByRole('link', { name: 'Dashboard' }).click();
  await expect(studio.getByRole('heading', { name: 'Dashboard' })).toBeVisible();
  await studio.goBack();
  await expect(studio.getByRole('button', { name: 'Camera off' })).toBeEnabled();
  await studio.getByRole('button', { name: 'Go live' }).click();
  await expect(studio.getByText(/^On air \d/)).toBeVisible();
  const question = studio.getByRole('dialog', { name: 'End the stream?' });
  const stay = question.getByRole('button', { name: 'Stay on air' });

  await studio.getByRole('navigation').getByRole('link', { name: 'Home' }).click();
  await expect(question).toBeVisible();
  await look(studio, 'studio-leaving');
  await stay.click();
  await studio.goForward();
  await expect(question).toBeVisible();
  await stay.click();
  await studio.getByRole('button', { name: 'Ada' }).click();
  await studio.getByRole('menuitem', { name: 'Sign out' }).click();
  await expect(question).toBeVisible();
  await stay.click();
  // The link to where one is already opens nothing else, and the skip link stays a link.
  await studio.getByRole('navigation').getByRole('link', { name: 'Studio' }).click();
  await expect(question).toHaveCount(0);
  await expect(studio).toHaveURL(new RegExp(`channel=${channel.handle}`));
  await expect(studio.getByText(/^On air \d/)).toBeVisible();
  expect(await site.api('GET', `/channels/${channel.handle}`)).toMatchObject({ state: 'live' });

  await studio.getByRole('navigation').getByRole('link', { name: 'Home' }).click();
  await question.getByRole('button', { name: 'End stream' }).click();
  await expect(studio.getByRole('heading', { name: 'What there is to watch' })).toBeVisible();
  await expect.poll(() => site.api('GET', `/channels/${channel.handle}`)).toMatchObject({ state: 'offline' });
});

test('the question before the end stays until it is answered, or there is nothing to end', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const studio = await people.creator();
  await goLive(studio, channel.handle);
  const question = studio.getByRole('dialog', { name: 'End the stream?' });
  await studio.getByRole('button', { name: 'End stream' }).dblclick();
  await expect(question).toBeVisible();
  await studio.mouse.click(5, 5);
  await question.getByRole('button', { name: 'Stay on air' }).click();
  await expect(question).toHaveCount(0);

  await studio.getByRole('button', { name: 'End stream' }).click();
  await expect(question).toBeVisible();
  await site.api('POST', `/channels/${channel.handle}/end`);
  await expect(studio.getByRole('button', { name: 'Go live' })).toBeVisible();
  await expect(studio.getByRole('dialog')).toHaveCount(0);
});

test('a sign-in that runs out takes nobody off air', async ({ people, ownChannel: channel, site }) => {
  const studio = await people.creator();
  await studio.clock.install();
  await goLive(studio, channel.handle);
  const isLive = () =>
    expect.poll(() => site.api('GET', `/channels/${channel.handle}`)).toMatchObject({ state: 'live' });
  // A minute that is skipped while media are about to come up would be too long for them.
  await isLive();
  await studio.route('**/api/session', (route) => route.fulfill({ status: 401, json: { status: 401 } }));
  const asked = studio.waitForResponse('**/api/session');
  await studio.clock.fastForward(61_000);
  await studio.evaluate(() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true })));
  await asked;
  await expect(studio.getByRole('link', { name: 'Sign in' })).toBeVisible();
  await expect(studio.getByText(/^On air \d/)).toBeVisible();
  // A busy machine may have let it be silent for a moment.
  await expect.poll(() => site.api('GET', `/channels/${channel.handle}`)).toMatchObject({ state: 'live' });
  await endStream(studio);
  await expect(studio.getByText('Your stream has ended')).toBeVisible();
});

test('cancelling what does not come up is the end of it', async ({ people, ownChannel: channel, site }) => {
  const studio = await people.creator();
  const asked: string[] = [];
  studio.on('request', (request) => {
    if (/\/whip\//.test(request.url())) asked.push(request.method());
  });
  // An answer without an address: the session is there, and no media can flow.
  await studio.route('**/whip/*', async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace(/^a=candidate.*\r\n/gm, '');
    await route.fulfill({ response, body });
  });
  await openStudio(studio, channel.handle);
  await studio.getByRole('button', { name: 'Go live' }).click();
  await expect(studio.getByText('You are not on air yet')).toBeVisible();
  await expect
    .poll(() => site.api('GET', `/channels/${channel.handle}/ingest`))
    .toMatchObject({ state: 'connecting' });
  await studio.getByRole('button', { name: 'Cancel' }).click();
  await expect
    .poll(() => site.api('GET', `/channels/${channel.handle}/ingest`))
    .toMatchObject({ state: 'waiting' });
  for (let polls = 0; polls < 2; polls += 1) await studio.waitForResponse('**/ingest');
  await expect(studio.getByRole('button', { name: 'Go live' })).toBeVisible();
  expect(asked).toEqual(['POST', 'DELETE']);
});

test('a screen alone goes live, and says that nobody hears it', async ({ people, ownChannel: channel }) => {
  const studio = await people.creator();
  await studio.addInitScript(() => {
    // No standing answer, so nothing opens by itself.
    navigator.permissions.query = async () => ({ state: 'prompt' }) as PermissionStatus;
    navigator.mediaDevices.getDisplayMedia = async () => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 });
      const paint = () =>
        canvas.getContext('2d')?.fillRect(Math.random() * 1280, Math.random() * 720, 40, 40);
      setInterval(paint, 40);
      return canvas.captureStream(25);
    };
  });
  await studio.goto(`/studio?channel=${channel.handle}`);
  await expect(studio.getByRole('button', { name: 'Go live' })).toBeDisabled();
  await studio.getByRole('button', { name: 'Share screen' }).click();
  await expect(studio.getByText('nobody hears you')).toBeVisible();
  await expect(studio.getByText('No microphone', { exact: true }).first()).toBeVisible();
  await look(studio, 'studio-screen-only');
  await studio.getByRole('button', { name: 'Go live' }).click();
  await expect(studio.getByText(/^On air \d/)).toBeVisible();
  await studio.getByRole('button', { name: 'Turn on camera and microphone' }).click();
  await expect(studio.getByRole('button', { name: 'Mute microphone' })).toBeEnabled();
});

test('who is taken over is told so, and takes over only when asked to', async ({ browser }) => {
  const site = await Site.setUp('\n[streams]\nsecond_publisher = "takeover"\n');
  const people = new People(browser, site);
  try {
    const [one, two] = [await people.creator(), await people.creator()];
    await goLive(one, 'ada');
    await openStudio(two, 'ada');
    await expect(two.getByText('This channel is on air already')).toBeVisible();
    await two.getByRole('button', { name: 'Go live' }).click();
    await expect(two.getByText(/^On air \d/)).toBeVisible();
    await expect(one.getByText('Another tab or encoder took over')).toBeVisible();
    await look(one, 'studio-taken-over');
    await expect(two.getByText(/^On air \d/)).toBeVisible();

    await one.getByRole('button', { name: 'Take over again' }).click();
    await expect(one.getByText(/^On air \d/)).toBeVisible();
    await expect(two.getByText('Another tab or encoder took over')).toBeVisible();
    await expect(one.getByText(/^On air \d/)).toBeVisible();
    await people.leave();
  } finally {
    await site.server.stop();
  }
});
