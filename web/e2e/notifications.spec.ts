/** What people are told of: the bell, the browser's own notifications, and webhooks. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test as base, expect, look, Site } from './harness';

/** Receivers of these tests live on this machine. */
const test = base.extend<object, { site: Site }>({
  site: [
    // biome-ignore lint/correctness/noEmptyPattern: the runner reads the fixtures' names from this pattern
    async ({}, use) => {
      const site = await Site.setUp('\n[outgoing]\nallow_http = true\nallow_private = ["127.0.0.0/8"]\n');
      await use(site);
      await site.server.stop();
    },
    { scope: 'worker' },
  ],
});

test('a notification comes to the bell at once, and is read there', async ({ people }) => {
  const page = await people.creator();
  await page.goto('/settings/notifications');
  await expect(page.getByRole('heading', { name: 'What you are told of' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Notifications, nothing new' })).toBeVisible();
  await look(page, 'notification-settings');
  await page.goto('/unsubscribe#nonsense');
  await expect(page.getByRole('alert')).toContainText('This link does not work');
  await look(page, 'unsubscribe-over');
  await page.goto('/settings/notifications');
  await page.getByRole('checkbox', { name: 'A stream is planned: E-mail' }).uncheck();
  await page.reload();
  await expect(page.getByRole('checkbox', { name: 'A stream is planned: E-mail' })).not.toBeChecked();

  await page.getByRole('button', { name: 'Send a test notification' }).click();
  const bell = page.getByRole('button', { name: 'Notifications, 1 new' });
  await expect(bell).toBeVisible();
  await bell.click();
  await expect(page.getByRole('link', { name: /It works/ })).toBeVisible();
  await look(page, 'bell');
  await page.getByRole('button', { name: 'Mark all as read' }).click();
  await expect(page.getByRole('button', { name: 'Notifications, nothing new' })).toBeVisible();
});

test('a push is shown, and its click opens the page', async ({ people, site }) => {
  const page = await people.creator();
  await page.context().grantPermissions(['notifications'], { origin: site.url });
  await page.goto('/');
  const scope = await page.evaluate(async () => {
    const types = (window as unknown as { trustedTypes: { createPolicy: CallableFunction } }).trustedTypes;
    const policy = types.createPolicy('test', { createScriptURL: (url: string) => url });
    const registration = await navigator.serviceWorker.register(policy.createScriptURL('/sw.js'));
    await navigator.serviceWorker.ready;
    return registration.scope;
  });
  const devtools = await page.context().newCDPSession(page);
  const found = new Promise<string>((resolve) => {
    devtools.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      const ours = registrations.find(({ scopeURL }) => scopeURL === scope);
      if (ours) resolve(ours.registrationId);
    });
  });
  await devtools.send('ServiceWorker.enable');
  await devtools.send('ServiceWorker.deliverPushMessage', {
    origin: site.url,
    registrationId: await found,
    data: JSON.stringify({ title: 'Ada is live', body: 'Engines', link: '/@ada', tag: 'x' }),
  });
  const shown = () =>
    page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      const all = await registration.getNotifications();
      return all.map(({ title, body, data }) => ({ title, body, link: data.link as string }));
    });
  await expect.poll(shown).toEqual([{ title: 'Ada is live', body: 'Engines', link: '/@ada' }]);
});

test('a webhook is made, tested, and its delivery replayed', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const got: string[] = [];
  const receiver = createServer((request, response) => {
    got.push(String(request.headers['tallylight-event']));
    response.end('thanks');
  });
  await new Promise<void>((ready) => receiver.listen(0, '127.0.0.1', ready));
  const { port } = receiver.address() as AddressInfo;
  try {
    const page = await people.creator();
    await page.goto(`/dashboard/webhooks?channel=${channel.handle}`);
    await expect(page.getByText('No webhooks yet')).toBeVisible();
    await look(page, 'webhooks-empty');
    await page.setViewportSize({ width: 390, height: 844 });
    await page.reload();
    const tabs = page.getByRole('navigation', { name: 'Dashboard' });
    await expect(tabs.getByRole('link', { name: 'Webhooks' })).toBeInViewport({ ratio: 0.9 });
    await page.getByRole('button', { name: 'New webhook' }).click();
    await page.getByLabel('Address').fill('http://10.0.0.1/hook');
    await page.getByRole('button', { name: 'Make webhook' }).click();
    await expect(page.getByText(/not on the internet/)).toBeVisible();
    await look(page, 'webhook-refused');
    await page.getByLabel('Address').fill(`http://127.0.0.1:${port}/hook`);
    await page.getByRole('button', { name: 'Make webhook' }).click();
    await expect(page.getByTestId('webhook-secret')).toContainText('tlw_');
    await page.getByRole('button', { name: 'Send a test' }).click();
    await expect(page.getByText('Delivered').first()).toBeVisible();
    await look(page, 'webhooks');
    await page.getByRole('button', { name: 'Replay ping' }).click();
    await expect.poll(() => got).toEqual(['ping', 'ping']);

    const hooks = `/channels/${channel.handle}/webhooks`;
    const { items } = await site.api<{ items: { id: string }[] }>('GET', hooks);
    for (let tests = 0; tests < 25; tests += 1) await site.api('POST', `${hooks}/${items[0]?.id}/test`);
    await page.reload();
    const replays = page.getByRole('button', { name: 'Replay ping' });
    await expect(replays).toHaveCount(25);
    await page.getByRole('button', { name: 'Show more' }).click();
    await expect(replays).toHaveCount(27);
    await expect(page.getByRole('button', { name: 'Show more' })).toHaveCount(0);
  } finally {
    receiver.close();
  }
});
