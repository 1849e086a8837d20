/** Admin → System: what the server finds with itself, and whether media get to it from this browser. */
import type { Page } from '@playwright/test';
import { expect, expectAccessible, expectQuiet, look, People, Site, test } from './harness';

const PROBES = '**/api/admin/connectivity';

/** Opens the page as an admin does. */
async function openSystem(page: Page): Promise<void> {
  await page.goto('/admin');
  const sections = page.getByRole('navigation', { name: 'Administration' });
  await sections.getByRole('link', { name: 'System' }).click();
  await expect(page.getByRole('heading', { name: 'System', exact: true })).toBeVisible();
}

/** The line of one check from the browser. */
function row(page: Page, name: string) {
  const list = page.getByRole('list', { name: 'Checks from this browser' });
  return list.getByRole('listitem').filter({ has: page.getByText(name, { exact: true }) });
}

test('an admin sees what the server finds, and by which ways media get to it', async ({ people }) => {
  const page = await people.creator();
  const ended: number[] = [];
  page.on('response', (response) => {
    if (response.request().method() === 'DELETE') ended.push(response.status());
  });
  await openSystem(page);
  const found = page.getByRole('list', { name: 'Checks of the server' });
  await expect(found.getByRole('listitem').filter({ hasText: 'Good' }).first()).toBeVisible();
  await expect(page.getByText(/^checked /)).toBeVisible();

  await page.getByRole('button', { name: 'Check from this browser' }).click();
  await expect(page.getByRole('progressbar', { name: 'Checks done' })).toBeVisible();
  await expect(row(page, 'Media over UDP')).toContainText(/Reached 127\.0\.0\.1:\d+, round trip .*\sms/);
  await expect(row(page, 'Media over TCP')).toContainText(/Reached 127\.0\.0\.1:\d+, round trip .*\sms/);
  for (const by of ['UDP', 'TCP']) {
    await expect(row(page, `Relay over ${by}`)).toContainText(
      /Reached 127\.0\.0\.1:\d+ through 127\.0\.0\.1:\d+, round trip/,
    );
    await expect(row(page, `Relay over ${by}`)).toContainText('Good');
  }
  await expect(page.getByText('4 good', { exact: true })).toBeVisible();
  await expect(page.getByText(/^127\.0\.0\.1:\d+ \(UDP\): of the server’s own machine$/)).toBeVisible();
  await expect(page.getByText('None of them is reached from the internet', { exact: false })).toBeVisible();
  expect(ended, 'every probe is ended').toHaveLength(4);
  expect(ended.every((status) => status < 300)).toBe(true);
  await expectQuiet(page);
  await look(page, 'admin-system', true);

  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.getByRole('button', { name: 'Copy report' }).click();
  const report = await page.evaluate(() => navigator.clipboard.readText());
  expect(report).toContain('[good] Media over UDP: Reached 127.0.0.1:');
  expect(report).not.toMatch(/connectivity\/|username|credential/);

  let goOn = () => {};
  const slow = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  await page.route('**/api/admin/checks', async (route) => {
    await slow;
    await route.continue();
  });
  await page.getByRole('button', { name: 'Check again' }).click();
  await expect(page.getByText('Checking the server. This takes')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Check again' })).toBeFocused();
  await expectAccessible(page);
  goOn();
  await expect(page.getByText(/^checked /)).toBeVisible();
});

test('media over TCP is tried by a browser that never had a camera here, too', async ({ people }) => {
  const page = await people.creator();
  await page.context().clearPermissions();
  await openSystem(page);
  await page.getByRole('button', { name: 'Check from this browser' }).click();
  await expect(row(page, 'Media over TCP')).toContainText(/Reached 127\.0\.0\.1:\d+, round trip/);
  await expect(page.getByText('4 good', { exact: true })).toBeVisible();
});

test('where UDP is blocked the page says what to let through, and leaves nothing open', async ({
  people,
}) => {
  const page = await people.creator();
  await page.route(PROBES, async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace(/^(a=candidate:\S+ \d+ udp \d+ \S+) \d+/gim, '$1 9');
    await route.fulfill({ response, body });
  });
  await openSystem(page);
  await page.getByRole('button', { name: 'Check from this browser' }).press('Enter');
  await expect(row(page, 'Media over UDP')).toContainText('No answer over UDP.');
  await expect(row(page, 'Media over UDP')).toContainText('let UDP port 9 through');
  await expect(row(page, 'Media over TCP')).toContainText('Good');
  await look(page, 'admin-system-blocked', true);

  // Whoever leaves meanwhile stops it.
  await expect(row(page, 'Relay over UDP')).toContainText('Checking');
  const gone = page.waitForResponse((response) => response.request().method() === 'DELETE');
  await page.getByRole('navigation', { name: 'Administration' }).getByRole('link', { name: 'Jobs' }).click();
  expect((await gone).ok()).toBe(true);
});

test('a page that is refused its checks says so, and can ask again', async ({ people }) => {
  const page = await people.creator();
  const refuse = { status: 503, contentType: 'application/problem+json' };
  await page.route('**/api/admin/checks', (route) =>
    route.fulfill({ ...refuse, body: '{"status":503,"code":"busy","detail":"it is being checked already"}' }),
  );
  await page.route(PROBES, (route) =>
    route.fulfill({ ...refuse, body: '{"status":503,"code":"busy","detail":"too many probes run"}' }),
  );
  await openSystem(page);
  await expect(page.getByText('It is being checked already.')).toBeVisible();
  await page.getByRole('button', { name: 'Check from this browser' }).click();
  await expect(page.getByText('Too many probes run.')).toBeVisible();
  await look(page, 'admin-system-refused');
  await page.unroute('**/api/admin/checks');
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('list', { name: 'Checks of the server' })).toBeVisible();
});

test('what the configuration turns off is told as that', async ({ browser }) => {
  const site = await Site.setUp('', { TALLYLIGHT_TURN_LISTEN: 'off', TALLYLIGHT_MEDIA_TCP: 'false' });
  const people = new People(browser, site);
  try {
    const page = await people.creator();
    await openSystem(page);
    await page.getByRole('button', { name: 'Check from this browser' }).click();
    await expect(row(page, 'Media over UDP')).toContainText('Good');
    await expect(row(page, 'Media over TCP')).toContainText('Off: media.tcp is false.');
    await expect(row(page, 'Relay')).toContainText(
      'No TURN server: set turn.listen, or turn.servers to another.',
    );
    await expect(page.getByText('2 careful, 1 good', { exact: true })).toBeVisible();
    await people.leave();
  } finally {
    await site.server.stop();
  }
});
