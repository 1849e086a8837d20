/** What is passed on: cards, the dialog, and the player in pages of another site. */
import type { FrameLocator, Page } from '@playwright/test';
import { Ffmpeg, H264, TEST_CARD } from './ffmpeg';
import { endStream, expect, expectAccessible, expectMovingPicture, goLive, look, test } from './harness';
import { OtherSite } from './other_site';

const CODING = [...H264, '-tune', 'zerolatency'];
const PLAYER = 'tallylight-player';

/** Put into the page around: keeps what a frame tells, and speaks to it. */
const HOST = `<script>
  window.told = [];
  addEventListener('message', ({ data, origin }) => window.told.push({ ...data, origin }));
  window.say = (message) => document.querySelector('iframe').contentWindow.postMessage(message, '*');
</script>`;

interface Told {
  tallylight: string;
  value: Record<string, unknown> | null;
  origin: string;
}

const told = (page: Page, event: string) =>
  page.evaluate(
    (name) =>
      (window as unknown as { told: Told[] }).told.filter(({ tallylight }) => tallylight === name).at(-1),
    event,
  );
const say = (page: Page, message: unknown) =>
  page.evaluate((text) => (window as unknown as { say(message: unknown): void }).say(text), message);

/** Waits until the picture of a player moves. */
async function expectMoving(place: Page | FrameLocator): Promise<void> {
  const frames = () =>
    place
      .locator(PLAYER)
      .evaluate(
        (player) =>
          player.shadowRoot
            ?.querySelector<HTMLVideoElement>('video:not([data-behind])')
            ?.getVideoPlaybackQuality().totalVideoFrames ?? 0,
      );
  await expect.poll(frames, { timeout: 30_000 }).toBeGreaterThan(15);
}

test('a live channel plays in a frame of another site, which speaks with it', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const frame = `<iframe src="${site.url}/embed/${channel.handle}" width="640" height="360" style="border:0" title="Live" allow="autoplay; fullscreen"></iframe>`;
  const other = await OtherSite.open({ '/': HOST + frame });
  const encoder = await Ffmpeg.publish(site, channel.handle, TEST_CARD, CODING);
  const visitor = await people.stranger();
  await visitor.goto(other.url);
  const inside = visitor.frameLocator('iframe');
  await expectMoving(inside);
  await expect.poll(() => told(visitor, 'ready')).toMatchObject({ origin: site.url });
  await say(visitor, { tallylight: 'hello' });
  await expect.poll(async () => (await told(visitor, 'state'))?.value).toMatchObject({ state: 'playing' });
  await expect.poll(async () => (await told(visitor, 'viewers'))?.value).toMatchObject({ count: 1 });

  await say(visitor, { tallylight: 'pause' });
  await expect(inside.getByRole('button', { name: 'Play' })).toBeVisible();
  await expect.poll(() => told(visitor, 'paused')).toBeTruthy();
  await say(visitor, { tallylight: 'play' });
  await expect(inside.getByRole('button', { name: 'Pause' })).toBeVisible();
  await say(visitor, { tallylight: 'unmute' });
  await expect(inside.getByRole('button', { name: 'Tap for sound' })).toBeHidden();
  await expectAccessible(visitor);

  await encoder.stop();
  await site.api('POST', `/channels/${channel.handle}/end`);
  await expect(inside.getByText('The stream has ended')).toBeVisible();
  await expect.poll(() => told(visitor, 'ended')).toBeTruthy();
  other.close();
});

test('the element plays in a page of another site without its cookies', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const other = await OtherSite.open({
    '/': `<script type="module" src="${site.url}/player.js"></script>
      <script>
        window.told = [];
        for (const name of ['ready', 'state', 'playing', 'paused', 'viewers', 'quality'])
          addEventListener(name, ({ detail }) => window.told.push({ tallylight: name, value: detail }), true);
      </script>
      <${PLAYER} channel="${channel.handle}" autoplay muted controls accent="#f5a524" style="width:640px"></${PLAYER}>`,
  });
  const encoder = await Ffmpeg.publish(site, channel.handle, TEST_CARD, CODING);
  const visitor = await people.stranger();
  await site.signIn(visitor.context());
  const withCookies: string[] = [];
  visitor.on('request', async (request) => {
    const headers = await request.allHeaders().catch(() => ({}) as Record<string, string>);
    if (request.url().startsWith(site.url) && headers.cookie) withCookies.push(request.url());
  });
  await visitor.goto(other.url);
  await expectMoving(visitor);
  const player = visitor.locator(PLAYER);
  const property = (name: string) =>
    player.evaluate((element, key) => (element as unknown as Record<string, unknown>)[key], name);
  await expect.poll(() => property('state')).toBe('playing');
  await expect.poll(() => property('viewers')).toBe(1);
  expect(await property('duration')).toBe(Number.POSITIVE_INFINITY);
  await player.evaluate((element) => (element as unknown as { pause(): void }).pause());
  await expect.poll(() => property('paused')).toBe(true);
  await player.evaluate((element) => (element as unknown as { play(): void }).play());
  await expect.poll(() => property('paused')).toBe(false);
  await expect.poll(async () => await told(visitor, 'quality')).toBeTruthy();

  // The same stream over HLS, of which everything comes from the other origin, too.
  await visitor.evaluate(() => localStorage.setItem('tallylight.latency', 'low'));
  await visitor.reload();
  await expectMoving(visitor);
  expect(withCookies, 'requests with cookies').toEqual([]);
  await encoder.stop();
  other.close();
});

test('pages tell what they show, and programs how to embed them', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const page = async (path: string) => (await fetch(site.url + path)).text();
  const offline = await page(`/@${channel.handle}`);
  expect(offline).toContain(`<title>${channel.name} · Tallylight</title>`);
  expect(offline).toContain(`<link rel="canonical" href="${site.url}/@${channel.handle}" />`);
  expect(offline).toContain(`property="og:image" content="${site.url}/card.png"`);
  expect((await fetch(`${site.url}/card.png`)).headers.get('content-type')).toBe('image/png');
  expect(await page('/')).toContain('property="og:type" content="website"');
  expect(await page(`/embed/${channel.handle}`)).toContain('name="robots" content="noindex"');
  const nobody = await fetch(`${site.url}/embed/nobody`);
  expect(nobody.status).toBe(404);
  expect(await nobody.text()).not.toContain('og:');

  const studio = await people.creator();
  await goLive(studio, channel.handle, '&codec=h264');
  const isLive = `property="og:title" content="${channel.name} is live"`;
  // The studio knows it a moment before the page's card does.
  await expect.poll(() => page(`/@${channel.handle}`)).toContain(isLive);
  const live = await page(`/@${channel.handle}`);
  expect(live).toMatch(/property="og:image" content="[^"]*\?at=\d+"/);
  const found = /type="application\/json\+oembed" href="([^"]+)"/.exec(live)?.[1]?.replaceAll('&amp;', '&');
  const answer = await (await fetch(found ?? '')).json();
  expect(answer).toMatchObject({ version: '1.0', type: 'video', provider_name: 'Tallylight', width: 640 });

  // What a program would put into its page.
  const other = await OtherSite.open({ '/': answer.html });
  const reader = await people.stranger();
  await reader.goto(other.url);
  await expectMoving(reader.frameLocator('iframe'));
  other.close();
  await endStream(studio);
});

test('the dialog gives the link, the frame and the element, and shows what others will see', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const encoder = await Ffmpeg.publish(site, channel.handle, TEST_CARD, CODING);
  const viewer = await people.stranger();
  await viewer.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await viewer.goto(`/@${channel.handle}`);
  await expectMovingPicture(viewer);
  const open = viewer.getByRole('button', { name: 'Share' });
  await open.focus();
  await viewer.keyboard.press('Enter');
  const dialog = viewer.getByRole('dialog', { name: 'Share' });
  const copied = () => viewer.evaluate(() => navigator.clipboard.readText());
  await dialog.getByRole('button', { name: 'Copy link' }).click();
  expect(await copied()).toBe(`${site.url}/@${channel.handle}`);
  await look(viewer, 'share-link');

  await dialog.getByRole('tab', { name: 'Link' }).focus();
  await viewer.keyboard.press('ArrowRight');
  await viewer.keyboard.press('Enter');
  await expectMoving(viewer.frameLocator('iframe'));
  await dialog.getByText('960 × 540').click();
  await dialog.getByRole('button', { name: 'Copy code for your page' }).click();
  expect(await copied()).toContain(`src="${site.url}/embed/${channel.handle}"`);
  expect(await copied()).toContain('width="960" height="540"');
  await look(viewer, 'share-frame');

  await dialog.getByRole('tab', { name: 'Element' }).click();
  await dialog.getByRole('button', { name: 'Copy code for your page' }).click();
  expect(await copied()).toContain(`<tallylight-player channel="${channel.handle}"`);
  for (let tabs = 0; tabs < 12; tabs += 1) await viewer.keyboard.press('Tab');
  const within = await dialog.evaluate((panel) => panel.contains(document.activeElement));
  expect(within || (await viewer.evaluate(() => document.activeElement === document.body))).toBe(true);
  // The frame of the preview would keep the key to itself.
  await dialog.getByRole('tab', { name: 'Element' }).focus();
  await viewer.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await expect(open).toBeFocused();
  await encoder.stop();
});

test('the page for frames says what happens', async ({ people, ownChannel: channel, site }) => {
  const encoder = await Ffmpeg.publish(site, channel.handle, TEST_CARD, CODING);
  const framed = await people.stranger();
  await framed.goto(`/embed/${channel.handle}`);
  await expectMoving(framed);
  await look(framed, 'embed-live');
  await encoder.stop();
  await site.api('POST', `/channels/${channel.handle}/end`);
  await expect(framed.getByText('The stream has ended')).toBeVisible();
  await framed.reload();
  await expect(framed.getByText(`${channel.name} is offline`)).toBeVisible();
  await look(framed, 'embed-offline');
});
