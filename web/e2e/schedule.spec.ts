import { endStream, expect, expectMovingPicture, goLive, look, test } from './harness';
import { png } from './png';

test('a stream is planned, counted down to, taken by the studio, renamed on air, and past', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  test.slow();
  const creator = await people.creator();
  await creator.goto(`/dashboard/streams?channel=${channel.handle}`);
  await expect(creator.getByText('Nothing is planned.')).toBeVisible();
  await look(creator, 'schedule-empty');
  await creator.getByRole('button', { name: 'Plan a stream' }).click();
  const form = creator.getByRole('dialog', { name: 'Plan a stream' });
  await form.getByLabel('Title').fill('Evening talk 🎙️');
  await form.getByLabel('Description').fill('Questions and answers about the new season.');
  await form.getByLabel('Language').selectOption('en');
  await form.getByLabel('Tags').fill('Talk, q&a');
  await form.getByLabel('Time zone').selectOption('UTC');
  const soon = new Date(Date.now() + 30 * 60_000).toISOString().slice(0, 16);
  await form.getByLabel('Date and time').fill(soon);
  await look(creator, 'schedule-form');
  await form.getByRole('button', { name: 'Plan it' }).click();
  await expect(form).toHaveCount(0);
  await expect(creator.getByText('Evening talk 🎙️')).toBeVisible();
  await expect(creator.getByText('Scheduled')).toBeVisible();

  // Times that cannot be are refused in words.
  await creator.getByRole('button', { name: 'Edit Evening talk' }).click();
  const edit = creator.getByRole('dialog', { name: 'Edit the planned stream' });
  await edit.getByLabel('Date and time').fill('2020-01-01T10:00');
  await edit.getByRole('button', { name: 'Save' }).click();
  await expect(edit.getByText(/this time has passed/i)).toBeVisible();
  await edit.getByRole('button', { name: 'Close' }).last().click();

  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expect(viewer.getByText('Evening talk 🎙️').first()).toBeVisible();
  await expect(viewer.getByText(/^Starts in /)).toBeVisible();
  const stage = viewer.getByRole('region', { name: /^Live video/ });
  await expect(stage.getByRole('button', { name: 'Follow' })).toBeVisible();
  await expect(viewer.getByRole('tab', { name: 'Schedule' })).toHaveAttribute('aria-selected', 'true');
  await expect(viewer.getByRole('link', { name: 'Follow in your calendar' })).toBeVisible();
  const calendar = viewer.getByRole('link', { name: 'Add to calendar' });
  const address = await calendar.getAttribute('href');
  const text = await (await fetch(`${site.url}${address}`)).text();
  expect(text).toContain('SUMMARY:Evening talk 🎙️');
  await look(viewer, 'watch-countdown');
  await look(creator, 'schedule-planned');

  await goLive(creator, channel.handle);
  await expectMovingPicture(viewer);
  await expect(viewer.getByRole('heading', { name: 'Evening talk 🎙️' })).toBeVisible();
  const live = await site.api<{ title: string; scheduled_at: string; language: string }>(
    'GET',
    `/channels/${channel.handle}/live`,
  );
  expect(live.title).toBe('Evening talk 🎙️');
  expect(live.scheduled_at).not.toBeNull();
  expect(live.language).toBe('en');

  const about = creator.getByRole('form', { name: 'About this stream' });
  await about.getByLabel('Title').fill('Now: your questions');
  await about.getByRole('button', { name: 'Update' }).click();
  await expect(about.getByText('Viewers see it now.')).toBeVisible();
  await expect(viewer.getByRole('heading', { name: 'Now: your questions' })).toBeVisible({ timeout: 3000 });
  await about
    .getByLabel('Choose a picture')
    .setInputFiles({ name: 'talk.png', mimeType: 'image/png', buffer: png(900, 900) });
  const crop = creator.getByRole('dialog');
  await expect(crop.getByRole('slider', { name: 'Zoom' })).toBeVisible();
  await look(creator, 'studio-crop');
  await crop.getByRole('button', { name: 'Use this part' }).click();
  await expect(about.getByRole('button', { name: 'Change the picture' })).toBeVisible();
  await look(creator, 'studio-about');
  await look(viewer, 'watch-titled');

  await endStream(creator);
  await expect(viewer.getByText('The stream has ended')).toBeVisible();
  await creator.goto(`/dashboard/streams?channel=${channel.handle}`);
  await expect(creator.getByText('Now: your questions')).toBeVisible();
  await expect(creator.getByText(/on air, by WHIP/)).toBeVisible();
  await expect(creator.getByText(/at its peak, .+ watched/)).toBeVisible();
  await look(creator, 'schedule-past');
  await creator.getByRole('link', { name: 'Insights of Now: your questions' }).click();
  await expect(creator).toHaveURL(/\/dashboard\/insights\?.*stream=[\w-]{36}/);
  await expect(creator.getByRole('heading', { name: 'Now: your questions' })).toBeVisible();
});

test('a cancelled stream is said to be cancelled', async ({ people, ownChannel: channel, site }) => {
  const at = new Date(Date.now() + 2 * 3_600_000).toISOString();
  await site.api('POST', '/streams', { channel: channel.handle, title: 'Concert', scheduled_at: at });
  const [creator, viewer] = [await people.creator(), await people.stranger()];
  await viewer.goto(`/@${channel.handle}`);
  await expect(viewer.getByText(/^Starts in 1 h/)).toBeVisible();
  await creator.goto(`/dashboard/streams?channel=${channel.handle}`);
  await creator.getByRole('button', { name: 'Cancel Concert' }).click();
  await creator.getByRole('button', { name: 'Cancel the stream' }).click();
  await expect(creator.getByText('Cancelled', { exact: true })).toBeVisible();
  await expect(viewer.getByText('Concert was cancelled')).toBeVisible();
  await look(viewer, 'watch-cancelled');
  await look(creator, 'schedule-cancelled');
});

test('a preview is seen by its maker alone until it is published', async ({
  people,
  ownChannel: channel,
}) => {
  const [creator, viewer] = [await people.creator(), await people.stranger()];
  await viewer.goto(`/@${channel.handle}`);
  await expect(viewer.getByText(`${channel.name} is offline`)).toBeVisible();
  await creator.goto(`/studio?channel=${channel.handle}`);
  const about = creator.getByRole('form', { name: 'About this stream' });
  await about.getByLabel('Title').fill('First show');
  await about.getByRole('switch', { name: /Preview, then publish/ }).click();
  await about.getByRole('button', { name: 'Prepare' }).click();
  await expect(creator.getByText('Prepared', { exact: true })).toBeVisible();
  await expect(creator.getByRole('button', { name: 'Go live' })).toBeEnabled();
  await creator.getByRole('button', { name: 'Go live' }).click();
  await expect(creator.getByText(/^Preview on air/)).toBeVisible();
  await expect(viewer.getByText(`${channel.name} is offline`)).toBeVisible();
  await look(creator, 'studio-preview');
  await about.getByRole('button', { name: 'Publish' }).click();
  await expect(creator.getByText(/^On air \d/)).toBeVisible();
  await expectMovingPicture(viewer);
  await expect(viewer.getByRole('heading', { name: 'First show' })).toBeVisible();
  await endStream(creator);
});
