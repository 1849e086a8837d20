import { field, joined, log, member, pointAt, said, say } from './chat_people';
import { expect, look, test } from './harness';
import { png } from './png';

test.use({ house: 'chat' });

test('two clicks: delete, time out and ban, seen by all at once and taken back from the log', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  test.slow();
  const [bad, other] = [await member(people, site), await member(people, site)];
  const moderator = await people.creator();
  for (const page of [bad.page, other.page, moderator]) {
    await page.goto(`/@${channel.handle}`);
    await joined(page);
  }

  await say(bad.page, 'buy this now');
  await pointAt(moderator, 'buy this now');
  await moderator.getByRole('button', { name: 'Delete' }).click();
  await expect(said(other.page, 'buy this now')).toHaveCount(0, { timeout: 1000 });
  await expect(said(bad.page, 'buy this now')).toHaveCount(0, { timeout: 1000 });

  await say(bad.page, 'still here');
  await pointAt(moderator, 'still here');
  await moderator.getByRole('button', { name: `Time out or ban ${bad.name}` }).click();
  await look(moderator, 'chat-restrain');
  await moderator.getByRole('button', { name: '10 min', exact: true }).click();
  await expect(bad.page.getByText('You are timed out.', { exact: false })).toBeVisible({ timeout: 1000 });
  await expect(said(other.page, 'still here')).toHaveCount(0, { timeout: 1000 });
  // It keeps the focus: keys that fell to the page would be the player's.
  await expect(field(bad.page)).not.toBeEditable();
  await expect(field(bad.page)).toBeFocused();
  await bad.page.keyboard.type('mmm');
  await expect(field(bad.page)).toHaveValue('');
  await look(bad.page, 'chat-timed-out');
  await moderator.getByRole('button', { name: 'Undo' }).click();
  await expect(field(bad.page)).toBeEnabled();

  // By keyboard and by command.
  await say(bad.page, 'once more');
  await expect(said(moderator, 'once more')).toBeVisible();
  await log(moderator).getByRole('region', { name: 'Messages' }).focus();
  await moderator.keyboard.press('ArrowUp');
  await expect(log(moderator).locator('[data-message]').last()).toBeFocused();
  await moderator.keyboard.press('t');
  await expect(moderator.getByRole('button', { name: 'Ban for good' })).toBeVisible();
  await moderator.keyboard.press('Escape');
  await say(moderator, `/ban ${bad.name} enough`);
  await expect(bad.page.getByText('You are banned from this chat. Reason: enough')).toBeVisible({
    timeout: 1000,
  });
  await expect(field(bad.page)).not.toBeEditable();
  await expect(field(bad.page)).toBeFocused();

  await moderator.goto(`/moderate/${channel.handle}`);
  const actions = moderator.getByRole('list', { name: 'What moderators did' });
  await expect(actions).toContainText(`banned ${bad.name}`);
  await look(moderator, 'chat-moderate', true);
  await moderator.setViewportSize({ width: 1280, height: 800 });
  await moderator.getByRole('button', { name: new RegExp(`^Take back: .*banned ${bad.name}`) }).click();
  await expect(field(bad.page)).toBeEnabled();
});

test('the shield goes up and down in one click each, and all is as it was', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const viewer = await member(people, site);
  const moderator = await people.creator();
  await site.api('PATCH', `/channels/${channel.handle}/chat`, { slow_seconds: 3 });
  for (const page of [viewer.page, moderator]) {
    await page.goto(`/chat/${channel.handle}`);
    await joined(page);
  }
  const chips = viewer.page.getByRole('list', { name: 'How one may write' });
  await expect(chips).toHaveText('Slow 3 s');
  await moderator.getByRole('button', { name: 'Shield', exact: true }).click();
  await expect(moderator.getByRole('button', { name: 'Lower the shield' })).toHaveAttribute(
    'aria-pressed',
    'true',
  );
  await expect(chips).toContainText('Shield', { timeout: 1000 });
  await look(moderator, 'chat-shield');
  await moderator.getByRole('button', { name: 'Lower the shield' }).click();
  await expect(chips).toHaveText('Slow 3 s');

  await say(viewer.page, 'one');
  const countdown = viewer.page.getByText(/^Slow mode: [123] s$/);
  await expect(countdown).toBeVisible();
  // One writes on meanwhile; only sending waits.
  await expect(field(viewer.page)).toBeFocused();
  await viewer.page.keyboard.type('in between');
  await viewer.page.keyboard.press('Enter');
  await expect(field(viewer.page)).toHaveValue('in between');
  await expect(viewer.page.getByRole('button', { name: 'Send' })).toBeDisabled();
  await expect(countdown).toHaveCount(0, { timeout: 6000 });
  await viewer.page.keyboard.press('Enter');
  await expect(said(moderator, 'in between')).toBeVisible();
  await say(moderator, 'two');
  await say(moderator, 'moderators do not wait');
  await expect(said(viewer.page, 'moderators do not wait')).toBeVisible();
});

test('words are blocked or held; what is held is let through by a click', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const viewer = await member(people, site);
  const moderator = await people.creator();
  for (const [term, kind] of [
    ['forbidden', 'blocked'],
    ['perhaps', 'held'],
  ]) {
    await site.api('POST', `/channels/${channel.handle}/chat/terms`, { term, kind });
  }
  for (const page of [viewer.page, moderator]) {
    await page.goto(`/@${channel.handle}`);
    await joined(page);
  }
  await say(viewer.page, 'this is f0rbidden');
  await expect(viewer.page.getByText(/^Not sent\./)).toBeVisible();
  await viewer.page.getByRole('button', { name: 'Discard' }).click();
  await say(viewer.page, 'well, perhaps');
  await expect(viewer.page.getByText('Waits for a moderator', { exact: false })).toBeVisible();
  await expect(said(moderator, 'well, perhaps')).toHaveCount(0);
  await moderator.getByRole('button', { name: /^Queue/ }).click();
  const held = moderator.getByRole('list', { name: 'Held messages' }).getByRole('listitem');
  await expect(held).toHaveCount(1);
  await look(moderator, 'chat-queue');
  await held.getByRole('button', { name: 'Approve' }).click();
  await moderator.getByRole('button', { name: 'Chat', exact: true }).click();
  await expect(said(moderator, 'well, perhaps')).toBeVisible();
  await expect(viewer.page.getByText('Waits for a moderator', { exact: false })).toHaveCount(0);
});

test('a card tells who somebody is, and keeps notes', async ({ people, ownChannel: channel, site }) => {
  const viewer = await member(people, site);
  const moderator = await people.creator();
  for (const page of [viewer.page, moderator]) {
    await page.goto(`/@${channel.handle}`);
    await joined(page);
  }
  await say(viewer.page, 'good evening');
  await expect(said(moderator, 'good evening')).toBeVisible();
  await log(moderator).getByRole('button', { name: viewer.name }).click();
  const card = moderator.getByRole('dialog');
  await expect(card.getByText('made', { exact: false })).toBeVisible();
  await expect(card.getByRole('region', { name: 'Last messages' })).toContainText('good evening');
  await card.getByLabel('Notes, for moderators').fill('A friend of the house.');
  await card.getByRole('button', { name: 'Save notes' }).click();
  await expect(card.getByText('Saved')).toBeVisible();
  await card.getByRole('button', { name: 'Warn' }).click();
  await card.getByLabel('What to leave').fill('No links, please');
  await card.getByRole('button', { name: `Tell ${viewer.name}` }).click();
  await expect(viewer.page.getByText('A moderator warns you')).toBeVisible();
  await viewer.page.getByRole('button', { name: 'I have read it' }).click();
  await look(moderator, 'chat-card');
});

test('a message is pinned for everybody, and an announcement stands out', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const viewer = await member(people, site);
  const moderator = await people.creator();
  for (const page of [viewer.page, moderator]) {
    await page.goto(`/@${channel.handle}`);
    await joined(page);
  }
  await say(viewer.page, 'the rules are below');
  await pointAt(moderator, 'the rules are below');
  await moderator.getByRole('button', { name: 'Pin', exact: true }).click();
  const pinned = viewer.page.getByRole('region', { name: 'Pinned message' });
  await expect(pinned).toContainText('the rules are below');
  await say(moderator, '/announce We start in five minutes');
  await expect(log(viewer.page).getByText('Announcement')).toBeVisible();
  await look(viewer.page, 'chat-pinned');
  await say(moderator, '/unpin');
  await expect(pinned).toHaveCount(0);

  // What one pointed at on the way is not meant any more.
  await pointAt(moderator, 'the rules are below');
  await field(moderator).click();
  await say(moderator, '/pin');
  await expect(pinned).toContainText('We start in five minutes');
});

test('a command that does not work stays where it was typed, and clearing asks first', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const viewer = await member(people, site);
  const moderator = await people.creator();
  for (const page of [viewer.page, moderator]) {
    await page.goto(`/chat/${channel.handle}`);
    await joined(page);
  }
  await say(viewer.page, 'not for ever');
  await expect(said(moderator, 'not for ever')).toBeVisible();
  await say(moderator, '/timeout nobodyhere 5m');
  await expect(moderator.getByText('Nobody of that name is known here.')).toBeVisible();
  await expect(field(moderator)).toHaveValue('/timeout nobodyhere 5m');
  await say(moderator, '/announce all is well');
  await expect(moderator.getByText('Nobody of that name is known here.')).toHaveCount(0);
  await field(moderator).fill('x'.repeat(501));
  await moderator.keyboard.press('Enter');
  await expect(field(moderator)).toHaveValue('x'.repeat(501));

  await say(moderator, '/clear');
  const asked = moderator.getByRole('dialog', { name: 'Clear the chat?' });
  await expect(asked).toContainText('the replay beside the recordings loses them, too');
  await look(moderator, 'chat-clear');
  await asked.getByRole('button', { name: 'Keep it' }).click();
  await expect(asked).toHaveCount(0);
  await expect(field(moderator)).toBeFocused();
  await expect(said(viewer.page, 'not for ever')).toBeVisible();
  await say(moderator, '/clear');
  await asked.getByRole('button', { name: 'Clear the chat' }).click();
  await expect(said(viewer.page, 'not for ever')).toHaveCount(0);
  await expect(moderator.getByText('The chat is cleared.')).toBeVisible();
});

test('the dashboard keeps modes, words and emotes', async ({ people, ownChannel: channel, site }) => {
  const page = await people.creator();
  await page.goto(`/dashboard/chat?channel=${channel.handle}`);
  const viewer = await member(people, site);
  await viewer.page.goto(`/@${channel.handle}`);
  await joined(viewer.page);
  await page.getByLabel('Slow mode').selectOption('10');
  await expect(viewer.page.getByRole('list', { name: 'How one may write' })).toContainText('Slow 10 s');
  await page.getByLabel('Slow mode').selectOption('0');

  await page.getByLabel('Word or words').fill('nonsense');
  await page.getByRole('button', { name: 'Add' }).click();
  await expect(page.getByRole('button', { name: 'Remove nonsense' })).toBeVisible();

  await page.getByLabel('Code').fill('tally');
  await page
    .getByLabel('Choose an emote')
    .setInputFiles({ name: 'tally.png', mimeType: 'image/png', buffer: png(112, 112) });
  await expect(page.getByRole('button', { name: 'Remove :tally:' })).toBeVisible();
  await page.getByLabel('Code').fill('Wr-ong');
  await expect(page.getByText('Only a–z, 0–9 and _, 2 to 32 of them.')).toBeVisible();
  await page.getByLabel('Code').fill('');
  await look(page, 'dashboard-chat', true);

  await say(viewer.page, 'look :tally:');
  await expect(log(viewer.page).getByRole('img', { name: ':tally:' })).toBeVisible();
  await viewer.page.getByRole('button', { name: 'Emotes and emoji' }).click();
  await expect(viewer.page.getByRole('region', { name: 'Of this channel' })).toBeVisible();
  await look(viewer.page, 'chat-picker');
});
