/** Streams that are not for everybody: what shuts them, what opens them, and what ends that again. */
import type { Page } from '@playwright/test';
import { member } from './chat_people';
import {
  endStream,
  expect,
  expectMovingPicture,
  goLive,
  hlsReady,
  look,
  openStudio,
  PICTURE,
  type Site,
} from './harness';
import { join, newShop, paid, pay, toPayment } from './paid';

/** As long as it takes until a session is told. */
const AT_ONCE_MS = 5000;
/** As long as a player that asks by HLS may go on. */
const SOON_MS = 60_000;

const locked = (page: Page, words: string) => page.getByRole('heading', { name: words });

/** Puts a gate before what is on air. */
async function gate(site: Site, handle: string, edit: object): Promise<void> {
  const { stream } = await site.api<{ stream: { id: string } | null }>('GET', `/channels/${handle}`);
  await site.api('PATCH', `/streams/${stream?.id}`, edit);
}

paid(
  'a stream for members opens to who joins, and shuts when that is given back',
  async ({ crowd, shopSite, stripe }) => {
    paid.slow();
    const channel = await newShop(shopSite);
    const creator = await crowd.creator();
    await openStudio(creator, channel.handle, '&codec=h264');
    await expect(creator.getByText('Who may watch: Everyone')).toBeVisible();
    const about = creator.getByRole('form', { name: 'About this stream' });
    await about.getByLabel('Title').fill('Among friends');
    await about.getByLabel('Who may watch').selectOption('members');
    await expect(about.getByLabel('From which tier on')).toHaveValue('1');
    await look(creator, 'studio-gate');
    // What is not saved yet counts as well.
    await creator.getByRole('button', { name: 'Go live' }).click();
    await expect(creator.getByText('Who may watch: Members')).toBeVisible();
    await expect(creator.getByText(/^On air \d/)).toBeVisible();

    const stranger = await crowd.stranger();
    await stranger.goto(`/@${channel.handle}`);
    await expect(locked(stranger, 'This stream is for members')).toBeVisible();
    await expect(stranger.getByRole('heading', { name: 'Among friends' })).toBeVisible();
    await expect(stranger.getByRole('link', { name: 'Sign in' }).last()).toBeVisible();
    await expect(stranger.locator('video')).toHaveCount(0);
    await look(stranger, 'locked-stream-members');
    await join(stranger).first().click();
    await expect(stranger.getByRole('button', { name: 'Sign in to continue' })).toBeVisible();
    await stranger.goto('/');
    await expect(stranger.getByRole('link', { name: /Among friends/ })).toContainText('Members');

    const { page } = await member(crowd, shopSite);
    await page.goto(`/@${channel.handle}`);
    await expect(locked(page, 'This stream is for members')).toBeVisible();
    await toPayment(page);
    await pay(page);
    await expectMovingPicture(page);
    await expect(page.getByRole('button', { name: /^Latency: Instant/ })).toBeVisible();

    await stripe.refundLast();
    await expect(locked(page, 'Your access has ended')).toBeVisible({ timeout: AT_ONCE_MS });
    await expect(page.locator('video')).toHaveCount(0);
    await expect(join(page).first()).toBeVisible();
    await look(page, 'locked-access-ended');
    await endStream(creator);
    await expect(page.getByText('The stream has ended')).toBeVisible();
  },
);

paid('who watches by HLS is shut out as well', async ({ crowd, shopSite, stripe }) => {
  paid.slow();
  const channel = await newShop(shopSite);
  const creator = await crowd.creator();
  await goLive(creator, channel.handle, '&codec=h264');
  await gate(shopSite, channel.handle, { gate: { who: 'members', tier: 1 } });
  await hlsReady(shopSite, channel.handle);

  const { page } = await member(crowd, shopSite);
  await page.addInitScript(() => localStorage.setItem('tallylight.latency', 'low'));
  await page.goto(`/@${channel.handle}`);
  await expect(locked(page, 'This stream is for members')).toBeVisible();
  await toPayment(page);
  const passed = page.waitForResponse(
    (answer) => /\/api\/streams\/[^/]+\/pass$/.test(answer.url()) && answer.ok(),
  );
  await pay(page);
  await expectMovingPicture(page);
  await expect(page.getByRole('button', { name: /^Latency: (Low latency|Stable) \d/ })).toBeVisible();
  const { pass } = (await (await passed).json()) as { pass: string };
  expect(page.url(), 'a pass is a secret').not.toContain(pass);
  // The media is asked for with the pass that came last.
  await page.waitForRequest((request) => request.url().includes(`.${pass}/`));

  await stripe.refundLast();
  await expect(locked(page, 'Your access has ended')).toBeVisible({ timeout: SOON_MS });
  await expect(page.locator('video')).toHaveCount(0);
});

paid('a free preview counts down, says how to stay, and is over for good', async ({ crowd, shopSite }) => {
  paid.slow();
  const channel = await newShop(shopSite);
  const creator = await crowd.creator();
  await goLive(creator, channel.handle, '&codec=h264');
  await gate(shopSite, channel.handle, { gate: { who: 'members', tier: 2 }, preview_seconds: 25 });
  await expect(
    creator.getByText('Who may watch: Members from tier 2; a free preview of 25 seconds for everybody else'),
  ).toBeVisible();

  const viewer = await crowd.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);
  const bar = viewer.getByRole('region', { name: 'Free preview' });
  await expect(bar.getByText(/^Free preview: 0:\d\d left/)).toBeVisible();
  await expect(bar.getByText(/Join to keep watching/).last()).toBeVisible();
  await expect(join(viewer).first()).toBeVisible();
  await look(viewer, 'watch-preview');
  await expect(locked(viewer, 'Your free preview is over')).toBeVisible({ timeout: 40_000 });
  await expect(viewer.getByText('This stream is for members from Patron on.')).toBeVisible();
  await look(viewer, 'locked-preview-over');
  await viewer.reload();
  await expect(locked(viewer, 'Your free preview is over')).toBeVisible();
});

paid('a stream with a password opens to who gives it', async ({ crowd, shopSite }) => {
  const channel = await newShop(shopSite);
  const creator = await crowd.creator();
  await goLive(creator, channel.handle);
  const about = creator.getByRole('form', { name: 'About this stream' });
  // The form of what is on air, and not of what comes next.
  await expect(about.getByRole('button', { name: 'Update' })).toBeVisible();
  await about.getByLabel('Who may watch').selectOption('password');
  await about.getByLabel('Password for viewers').fill('open sesame');
  await about.getByRole('button', { name: 'Update' }).click();
  await expect(about.getByText('Viewers see it now.')).toBeVisible();

  const viewer = await crowd.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expect(locked(viewer, 'This stream asks for a password')).toBeVisible();
  await look(viewer, 'locked-stream-password');
  const field = viewer.getByLabel('Password of the stream');
  await field.fill('wrong');
  await viewer.getByRole('button', { name: 'Watch' }).click();
  await expect(viewer.getByText('This is not the password')).toBeVisible();
  await field.fill('open sesame');
  await viewer.getByRole('button', { name: 'Watch' }).click();
  await expectMovingPicture(viewer);

  const framed = await crowd.stranger();
  await framed.goto(`/embed/${channel.handle}`);
  await expect(framed.getByText('This stream asks for a password')).toBeVisible();
  await look(framed, 'embed-stream-password');
});

paid('a stream for followers opens to who follows', async ({ crowd, shopSite }) => {
  const channel = await newShop(shopSite);
  const creator = await crowd.creator();
  await goLive(creator, channel.handle);
  await gate(shopSite, channel.handle, { gate: { who: 'followers' } });
  const { page } = await member(crowd, shopSite);
  await page.goto(`/@${channel.handle}`);
  await expect(locked(page, 'This stream is for followers')).toBeVisible();
  await page.getByRole('button', { name: 'Follow', exact: true }).first().click();
  await expectMovingPicture(page);
});

paid('a ticket is bought before the stream, and opens it', async ({ crowd, shopSite }) => {
  paid.slow();
  const channel = await newShop(shopSite);
  const creator = await crowd.creator();
  await creator.goto(`/dashboard/streams?channel=${channel.handle}`);
  await creator.getByRole('button', { name: 'Plan a stream' }).click();
  const form = creator.getByRole('dialog', { name: 'Plan a stream' });
  await form.getByLabel('Title').fill('Concert');
  await form.getByLabel('Time zone').selectOption('UTC');
  const soon = new Date(Date.now() + 30 * 60_000).toISOString().slice(0, 16);
  await form.getByLabel('Date and time').fill(soon);
  await form.getByLabel('Who may watch').selectOption('ticket');
  await expect(form.getByText('Save this stream first', { exact: false })).toBeVisible();
  await look(creator, 'schedule-gate');
  await form.getByRole('button', { name: 'Plan it' }).click();
  await expect(form).toHaveCount(0);
  await expect(creator.getByRole('listitem').filter({ hasText: 'Concert' })).toContainText('Ticket');

  const { items } = await shopSite.api<{ items: { id: string }[] }>(
    'GET',
    `/channels/${channel.handle}/schedule`,
  );
  await shopSite.api('POST', `/channels/${channel.handle}/tickets`, {
    name: 'Concert tonight',
    amount: 800,
    streams: [items[0]?.id],
  });

  const { page } = await member(crowd, shopSite);
  await page.goto(`/@${channel.handle}`);
  const get = page.getByRole('button', { name: /^Get a ticket for Concert/ }).first();
  await expect(get).toBeVisible();
  await look(page, 'watch-planned-ticket');
  await get.click();
  await page.getByRole('button', { name: 'Buy the ticket Concert tonight for €8.00' }).click();
  await pay(page);
  await expect(page.getByText('You can watch it').first()).toBeVisible();

  await goLive(creator, channel.handle, '&codec=h264');
  await expectMovingPicture(page);
  const stranger = await crowd.stranger();
  await stranger.goto(`/@${channel.handle}`);
  await expect(locked(stranger, 'This stream asks for a ticket')).toBeVisible();
  await expect(
    stranger.getByRole('button', { name: 'Buy the ticket Concert tonight for €8.00' }),
  ).toBeVisible();
  await look(stranger, 'locked-stream-ticket');
});

paid('a recording is shut as its stream was, until its creator opens it', async ({ crowd, shopSite }) => {
  paid.slow();
  const channel = await newShop(shopSite);
  const creator = await crowd.creator();
  await goLive(creator, channel.handle, '&codec=h264');
  await gate(shopSite, channel.handle, { gate: { who: 'members' } });
  const watching = await crowd.creator();
  await watching.goto(`/@${channel.handle}`);
  await expect(watching.getByTitle('Time on air')).toHaveText(/^0:(1[2-9]|[2-5]\d)$/, { timeout: 60_000 });
  await endStream(creator);
  await expect(creator.getByText('Your stream has ended')).toBeVisible();
  const kept = async () =>
    (
      await shopSite.api<{ items: { id: string; state: string }[] }>(
        'GET',
        `/channels/${channel.handle}/recordings`,
      )
    ).items.find(({ state }) => state === 'ready')?.id ?? null;
  await expect.poll(kept, { timeout: 30_000 }).not.toBeNull();

  const viewer = await crowd.stranger();
  await viewer.goto(`/videos/${await kept()}`);
  await expect(locked(viewer, 'This recording is for members')).toBeVisible();
  await look(viewer, 'locked-recording');

  await creator.goto(`/dashboard?channel=${channel.handle}`);
  await creator.getByRole('button', { name: /^Choose who may watch/ }).click();
  const dialog = creator.getByRole('dialog', { name: 'Who may watch this recording?' });
  await expect(dialog.getByLabel('Who may watch')).toHaveValue('as_stream');
  await look(creator, 'recording-gate');
  await dialog.getByLabel('Who may watch').selectOption('everyone');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toHaveCount(0);
  await viewer.reload();
  await expectMovingPicture(viewer);
  await expect(viewer.locator(PICTURE)).toBeVisible();
});
