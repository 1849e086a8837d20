import type { Page } from '@playwright/test';
import { pictureAtMessage, publishBarcode } from './barcode';
import { field, joined, log, member, said, say } from './chat_people';
import {
  expect,
  expectAccessible,
  expectMovingPicture,
  goLive,
  hlsReady,
  look,
  PICTURE,
  test,
  wake,
} from './harness';

/** How many WebSockets of a chat a page has open. */
function sockets(page: Page): { open: number } {
  const seen = { open: 0 };
  page.on('websocket', (socket) => {
    if (!socket.url().endsWith('/chat/ws')) return;
    seen.open += 1;
    socket.on('close', () => {
      seen.open -= 1;
    });
  });
  return seen;
}

async function chooseLatency(page: Page, name: RegExp): Promise<void> {
  await wake(page);
  await page.getByRole('button', { name: /^Latency/ }).click();
  await page.getByRole('menuitemradio', { name }).click();
}

/** How far apart two times of 16 bits are. */
function apart(one: number | null, other: number | null): number {
  if (one === null || other === null) return Number.POSITIVE_INFINITY;
  const ahead = (one - other) & 0xffff;
  return Math.min(ahead, 0x10000 - ahead);
}

test.use({ house: 'chat' });

test('what is said is seen beside the picture that it is about, instantly and six seconds later', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  test.slow();
  const { key } = await site.api<{ key: string }>('POST', `/channels/${channel.handle}/stream_keys`, {
    name: 'chat',
  });
  const publisher = await people.stranger();
  await publisher.goto('/nowhere');
  await publisher.evaluate(publishBarcode, { endpoint: '/whip', key, codec: 'H264', simulcast: false });
  await hlsReady(site, channel.handle);

  const [near, far] = [await member(people, site), await member(people, site)];
  const [nearSockets, farSockets] = [sockets(near.page), sockets(far.page)];
  await Promise.all([near.page.goto(`/@${channel.handle}`), far.page.goto(`/@${channel.handle}`)]);
  await Promise.all([expectMovingPicture(near.page), expectMovingPicture(far.page)]);
  await chooseLatency(far.page, /^Stable/);
  await expect(far.page.getByRole('button', { name: /^Latency: Stable [4-9]/ })).toBeVisible({
    timeout: 40_000,
  });
  await Promise.all([joined(near.page), joined(far.page)]);
  expect(nearSockets.open, 'whoever watches by WebRTC chats by it').toBe(0);
  await expect.poll(() => farSockets.open).toBe(1);

  for (const text of ['first look', 'second look']) {
    const [there, later] = [
      near.page.evaluate(pictureAtMessage, text),
      far.page.evaluate(pictureAtMessage, text),
    ];
    await say(near.page, text);
    const [here, behind] = [await there, await later];
    const off = apart(here, behind);
    console.log(`pictures: ${here} and ${behind}`);
    console.log(`a message of the instant viewer: ${off} ms from its picture at the stable one`);
    expect(off).toBeLessThan(500);
  }
  // What answers an older picture is no news to whoever is ahead.
  await say(far.page, 'that was six seconds ago');
  await expect(said(near.page, 'that was six seconds ago')).toBeVisible({ timeout: 2000 });

  // Without the step, it comes at once.
  await far.page.getByRole('button', { name: 'Chat settings' }).click();
  await far.page.getByRole('switch', { name: /^In step with the video/ }).click();
  await far.page.keyboard.press('Escape');
  await say(near.page, 'no waiting');
  await expect(said(far.page, 'no waiting')).toBeVisible({ timeout: 2000 });

  // From one carrier to the other nothing is lost and nothing comes twice.
  await chooseLatency(near.page, /^Low latency/);
  await say(far.page, 'between 1');
  await expect.poll(() => nearSockets.open, { timeout: 30_000 }).toBe(1);
  await say(far.page, 'between 2');
  await chooseLatency(near.page, /^Auto/);
  await expect.poll(() => nearSockets.open, { timeout: 40_000 }).toBe(0);
  await say(far.page, 'between 3');
  for (const text of ['between 1', 'between 2', 'between 3']) {
    await expect(said(near.page, text)).toHaveCount(1, { timeout: 15_000 });
  }
});

test('two people talk: answers, mentions, emoji, history; strangers read and guests choose a name', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const [one, two] = [await member(people, site), await member(people, site)];
  await Promise.all([one.page.goto(`/@${channel.handle}`), two.page.goto(`/@${channel.handle}`)]);
  await Promise.all([joined(one.page), joined(two.page)]);
  await expect(log(one.page)).toHaveAttribute('aria-live', 'polite');

  await say(one.page, 'hello everybody');
  await expect(said(one.page, 'hello everybody')).toBeVisible({ timeout: 500 });
  await expect(said(two.page, 'hello everybody')).toBeVisible({ timeout: 1000 });
  await said(two.page, 'hello everybody').hover();
  await two.page.getByRole('button', { name: 'Reply' }).click();
  await expect(two.page.getByText(`Answering ${one.name}: hello everybody`)).toBeVisible();
  await say(two.page, `hi @${one.name} :fire:`);
  const answer = log(one.page).locator('[data-message]').filter({ hasText: 'hi @' });
  await expect(answer).toContainText('🔥');
  await expect(answer.getByRole('button', { name: /In answer to/ })).toContainText('hello everybody');

  await field(two.page).pressSequentially(one.name.slice(0, 2));
  await two.page.keyboard.press('Tab');
  await expect(two.page.getByRole('listbox', { name: 'Suggestions' })).toBeVisible();
  await two.page.keyboard.press('Tab');
  await expect(field(two.page)).toHaveValue(`@${one.name} `);
  await field(two.page).fill('');
  await two.page.keyboard.press('ArrowUp');
  await expect(field(two.page)).toHaveValue(`hi @${one.name} :fire:`);
  await field(two.page).fill('/dance');
  await two.page.keyboard.press('Enter');
  await expect(two.page.getByText('There is no command /dance')).toBeVisible();
  await expect(said(one.page, '/dance')).toHaveCount(0);

  const stranger = await people.stranger();
  await stranger.goto(`/@${channel.handle}`);
  await expect(said(stranger, 'hello everybody')).toBeVisible();
  await expect(log(stranger).locator('xpath=../..').getByRole('link', { name: 'Sign in' })).toBeVisible();
  await site.api('PATCH', `/channels/${channel.handle}/chat`, { guests: true });
  await stranger.getByLabel('Your name as a guest').fill('Nora');
  await stranger.getByRole('button', { name: 'Join in' }).click();
  await joined(stranger);
  await say(stranger, 'just looking');
  await expect(said(one.page, 'just looking')).toBeVisible();
  // Of somebody with an account.
  const other = await people.stranger();
  await other.goto(`/chat/${channel.handle}`);
  await other.getByLabel('Your name as a guest').fill(one.name);
  await other.getByRole('button', { name: 'Join in' }).click();
  await expect(other.getByText(/^That name is taken: you are called Guest \d+\.$/)).toBeVisible();
  await look(other, 'chat-name-taken');
  await other.getByRole('button', { name: 'Another name' }).click();
  await other.getByLabel('Your name as a guest').fill('Lena');
  await other.getByRole('button', { name: 'Join in' }).click();
  await expect(other.getByText(/^That name is taken/)).toHaveCount(0);
  await look(one.page, 'chat-watch', true);
});

/** What is typed to become more than text. */
const HOSTILE = [
  '<img src=x onerror="document.title=\'owned\'">',
  '<script>document.title="owned"</script>',
  '"><svg onload=document.title="owned">',
  "javascript:document.title='owned'",
  "[click](javascript:document.title='owned')",
  'data:text/html,<script>document.title="owned"</script>',
  'https://example.org/"onmouseover="document.title=\'owned\'',
  '{{constructor.constructor("document.title=1")()}}',
  '&lt;b&gt;not bold&lt;/b&gt;',
  'the file is called \u202Egnp.exe\u202C and looks safe',
  '\u2066\u2067turned\u2069\u2069 around',
];

test('nothing that is written becomes more than text', async ({ people, ownChannel: channel, site }) => {
  test.slow();
  const [one, two] = [await member(people, site), await member(people, site)];
  await Promise.all([one.page.goto(`/@${channel.handle}`), two.page.goto(`/@${channel.handle}`)]);
  await Promise.all([joined(one.page), joined(two.page)]);
  for (const [at, text] of HOSTILE.entries()) {
    await say(one.page, `${at}: ${text}`);
    await expect(
      log(two.page)
        .locator('[data-message]')
        .filter({ hasText: `${at}:` })
        .last(),
    ).toBeVisible();
    // Five in five seconds is what one may say.
    await one.page.waitForTimeout(1100);
  }
  for (const page of [one.page, two.page]) {
    const found = await log(page).evaluate((element) => ({
      elements: element.querySelectorAll('img, script, svg[onload], iframe, b, object, embed').length,
      handlers: [...element.querySelectorAll('*')].filter((each) =>
        each.getAttributeNames().some((name) => name.startsWith('on')),
      ).length,
      links: [...element.querySelectorAll('a')].map(({ href, rel, target }) => ({ href, rel, target })),
      turning: /[\u202a-\u202e\u2066-\u2069]/.test(element.textContent ?? ''),
    }));
    expect(found).toMatchObject({ elements: 0, handlers: 0, turning: false });
    for (const { href, rel, target } of found.links) {
      expect(href).toMatch(/^https?:/);
      expect(rel).toBe('noopener noreferrer nofollow ugc');
      expect(target).toBe('_blank');
    }
    await expect(page).not.toHaveTitle(/owned/);
  }
});

test('a poll, questions and reactions are shared by all who watch', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  test.slow();
  const studio = await people.creator();
  await goLive(studio, channel.handle, '&codec=h264');
  const [one, two] = [await member(people, site), await member(people, site)];
  await Promise.all([one.page.goto(`/@${channel.handle}`), two.page.goto(`/@${channel.handle}`)]);
  await Promise.all([expectMovingPicture(one.page), expectMovingPicture(two.page)]);
  await Promise.all([joined(one.page), joined(two.page)]);

  await field(studio).fill('/poll Tea or coffee? | Tea | Coffee | 5m');
  await studio.keyboard.press('Enter');
  const poll = one.page.getByRole('region', { name: 'Poll' });
  await poll.getByRole('button', { name: /^Coffee/ }).click();
  await expect(poll.getByText('Your vote is in and cannot be changed', { exact: false })).toBeVisible();
  await expect(poll.getByRole('button', { name: /^Tea/ })).toHaveCount(0);
  await expect(two.page.getByRole('region', { name: 'Poll' }).getByText('100 % · 1')).toBeVisible();
  await two.page.getByRole('region', { name: 'Poll' }).getByRole('button', { name: /^Tea/ }).click();
  await expect(poll.getByText('2 votes', { exact: false })).toBeVisible();
  await look(one.page, 'chat-poll');
  await studio.getByRole('button', { name: 'End now' }).click();
  await expect(poll.getByText('Ended')).toBeVisible();
  // Who does not want to see it any more puts it away alone.
  const others = two.page.getByRole('region', { name: 'Poll' });
  await others.getByRole('button', { name: 'Hide the poll' }).click();
  await expect(others).toHaveCount(0);
  await expect(poll).toBeVisible();
  await studio.getByRole('button', { name: 'Put away' }).click();
  await expect(poll).toHaveCount(0);

  await one.page.getByRole('button', { name: /^Questions/ }).click();
  await one.page.getByLabel('Your question').fill('What lens is that?');
  await one.page.getByRole('button', { name: 'Ask', exact: true }).click();
  await two.page.getByRole('button', { name: /^Questions/ }).click();
  const question = two.page.getByRole('listitem').filter({ hasText: 'What lens is that?' });
  await question.getByRole('button', { name: /^Vote for this question/ }).click();
  await expect(question.getByRole('button', { name: /^Vote for this question/ })).toHaveAttribute(
    'aria-pressed',
    'true',
  );
  await studio.getByRole('button', { name: /^Questions/ }).click();
  const asked = studio.getByRole('listitem').filter({ hasText: 'What lens is that?' });
  await asked.getByRole('button', { name: 'On screen' }).click();
  await expect(one.page.getByRole('region', { name: 'Question on screen' })).toBeVisible();
  await look(two.page, 'chat-questions');
  await asked.getByRole('button', { name: 'Answered' }).click();
  await expect(one.page.getByRole('region', { name: 'Question on screen' })).toHaveCount(0);
  await expect(two.page.getByRole('list', { name: 'Answered questions' })).toContainText('What lens');

  // With reduced motion nothing flies: it is counted, and covers no control.
  await one.page.getByRole('button', { name: 'Chat', exact: true }).click();
  await one.page.getByRole('button', { name: 'React with 🔥' }).click();
  const counted = two.page.getByTestId('reactions');
  await expect(counted).toContainText('🔥');
  const [reactions, controls] = [
    await counted.boundingBox(),
    await two.page.locator('[data-controls]').boundingBox(),
  ];
  if (reactions && controls)
    expect(await counted.evaluate((e) => getComputedStyle(e).pointerEvents)).toBe('none');
});

test('on a phone the picture stays where it is while one writes', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const studio = await people.creator();
  await goLive(studio, channel.handle, '&codec=h264');
  const { page } = await member(people, site);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`/@${channel.handle}`);
  await expectMovingPicture(page);
  await joined(page);
  await field(page).focus();
  // What a keyboard leaves.
  await page.setViewportSize({ width: 390, height: 460 });
  const within = async () => {
    const [video, input] = [await page.locator(PICTURE).boundingBox(), await field(page).boundingBox()];
    if (!video || !input) return 'missing';
    const seen = video.y >= -1 && video.y + video.height <= 461 && input.y + input.height <= 461;
    return seen && input.y >= video.y + video.height ? 'both seen' : JSON.stringify({ video, input });
  };
  await expect.poll(within).toBe('both seen');
  await say(page, 'from a phone');
  await expect(said(page, 'from a phone')).toBeVisible();
  await page.setViewportSize({ width: 390, height: 844 });
  await look(page, 'chat-phone');
});

test('many messages: it follows at the end, stands still above, and keeps few in the page', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const { page } = await member(people, site);
  await page.goto(`/chat/${channel.handle}`);
  await joined(page);
  const announce = (text: string) =>
    site.api('POST', `/channels/${channel.handle}/chat/messages`, { text, kind: 'announcement' });
  // Moderators may say twenty in five seconds.
  for (let at = 0; at < 20; at += 1) await announce(`line ${at}`);
  await expect(said(page, 'line 19')).toBeInViewport();
  const messages = log(page).getByRole('region', { name: 'Messages' });
  await messages.evaluate((element) => element.scrollTo({ top: 0 }));
  await page.waitForTimeout(5000);
  const place = () => said(page, 'line 2').evaluate((element) => element.getBoundingClientRect().top);
  const before = await place();
  for (let at = 20; at < 25; at += 1) await announce(`line ${at}`);
  await expect(page.getByRole('button', { name: '5 new messages' })).toBeVisible();
  expect(Math.abs((await place()) - before)).toBeLessThan(2);
  await page.getByRole('button', { name: '5 new messages' }).click();
  await expect(said(page, 'line 24')).toBeInViewport();

  // What one says oneself is seen, wherever one reads.
  await messages.evaluate((element) => element.scrollTo({ top: 0 }));
  await expect(said(page, 'line 24')).not.toBeInViewport();
  await say(page, 'from above');
  await expect(said(page, 'from above')).toBeInViewport();
});

test('a poll is made in its dialog, fits into a dock, and leaves the scene when it is over', async ({
  people,
  ownChannel: channel,
}) => {
  const page = await people.creator();
  await page.setViewportSize({ width: 320, height: 600 });
  await page.goto(`/chat/${channel.handle}?dock`);
  await joined(page);
  await say(page, 'the rules are below, and they are somewhat longer than a line of a dock');
  await say(page, '/pin');
  await expect(page.getByRole('region', { name: 'Pinned message' })).toBeVisible();
  const overlay = await people.stranger();
  await overlay.goto(`/chat/${channel.handle}?overlay`);

  await page.getByRole('button', { name: 'New poll' }).click();
  const dialog = page.getByRole('dialog', { name: 'New poll' });
  await expect(dialog.getByLabel('Question')).toBeFocused();
  await page.keyboard.type('What next?');
  await dialog.getByLabel('Answer 1').fill('A game');
  await dialog.getByLabel('Answer 2').fill('A game ');
  await dialog.getByRole('button', { name: 'Start the poll' }).click();
  await expect(dialog.getByText('This option is there already.')).toBeVisible();
  await dialog.getByLabel('Answer 2').fill('A talk');
  await dialog.getByRole('button', { name: 'Add an answer' }).click();
  await dialog.getByRole('textbox', { name: 'Answer 3' }).fill('The end');
  await dialog.getByRole('button', { name: 'Start the poll' }).dblclick();
  await expect(dialog).toHaveCount(0);
  for (const name of ['End now', 'Put away']) {
    await expect(page.getByRole('button', { name })).toBeInViewport({ ratio: 1 });
  }
  const poll = overlay.getByRole('region', { name: 'Poll' });
  await expect(poll).toBeVisible();
  await expectAccessible(page);

  await page.getByRole('button', { name: 'New poll' }).click();
  await dialog.getByLabel('Question').fill('Another?');
  await dialog.getByLabel('Answer 1').fill('Yes');
  await dialog.getByLabel('Answer 2').fill('No');
  await dialog.getByRole('button', { name: 'Start the poll' }).click();
  await expect(dialog.getByText('A poll is open; end it first.')).toBeVisible();
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'End now' }).click();
  await expect(poll.getByText('Ended')).toBeVisible();
  await expect(poll).toHaveCount(0, { timeout: 25_000 });
  await expect(page.getByRole('region', { name: 'Poll' })).toBeVisible();
});

test('the chat has pages of its own: a window, a dock and an overlay', async ({
  people,
  ownChannel: channel,
}) => {
  const page = await people.creator();
  await page.goto(`/chat/${channel.handle}`);
  await joined(page);
  await say(page, 'welcome');
  await look(page, 'chat-window');
  await page.goto(`/chat/${channel.handle}?dock`);
  await expect(page.getByRole('button', { name: 'Shield' })).toBeVisible();
  await page.setViewportSize({ width: 320, height: 600 });
  await expectAccessible(page);

  const overlay = await people.stranger();
  await overlay.goto(`/chat/${channel.handle}?overlay&fade=5`);
  await expect(said(overlay, 'welcome')).toHaveCount(0, { timeout: 15_000 });
  await say(page, 'over the picture');
  await expect(said(overlay, 'over the picture')).toBeVisible();
  const clear = await overlay.evaluate(() =>
    [document.documentElement, document.body].every(
      (element) => getComputedStyle(element).backgroundColor === 'rgba(0, 0, 0, 0)',
    ),
  );
  expect(clear).toBe(true);
  await expect(overlay.getByRole('combobox')).toHaveCount(0);
  await expect(said(overlay, 'over the picture')).toHaveCount(0, { timeout: 15_000 });
});
