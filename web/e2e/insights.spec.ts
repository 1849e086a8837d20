/** Who watches, and how the stream arrives: counted once, plotted live and afterwards. */
import { endStream, expect, expectMovingPicture, goLive, look, test } from './harness';

interface Viewers {
  now: number;
  peak: number;
}

test('viewers count once whichever way they watch, and the figures stay', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  test.slow();
  const dashboard = await people.creator();
  await dashboard.goto(`/dashboard/insights?channel=${channel.handle}`);
  await expect(dashboard.getByRole('heading', { name: 'No streams yet' })).toBeVisible();
  await look(dashboard, 'insights-empty');

  const studio = await people.creator();
  await goLive(studio, channel.handle);
  let id = '';
  const find = async () => {
    const list = await site.api<{ items: { id: string }[] }>('GET', `/channels/${channel.handle}/insights`);
    id = list.items[0]?.id ?? '';
    return id;
  };
  await expect.poll(find).not.toBe('');
  const viewers = () => site.api<Viewers>('GET', `/streams/${id}/viewers`);

  const [one, two, owner] = [await people.stranger(), await people.stranger(), await people.creator()];
  await Promise.all([one, two, owner].map((page) => page.goto(`/@${channel.handle}`)));
  await Promise.all([one, two, owner].map(expectMovingPicture));
  await expect.poll(async () => (await viewers()).now).toBe(2);

  await one.getByRole('region', { name: /^Live video/ }).hover();
  await one.getByRole('button', { name: /^Latency/ }).click();
  await one.getByRole('menuitemradio', { name: /^Low/ }).click();
  await expect(one.getByRole('button', { name: /^Latency: Low/ })).toBeVisible({ timeout: 30_000 });
  await expectMovingPicture(one);
  await one.reload();
  await expectMovingPicture(one);
  // Who loads the page again is away for a moment.
  await expect.poll(async () => (await viewers()).now).toBe(2);
  // Long enough that readers of playlists are guessed at, too.
  const counts: number[] = [];
  await expect
    .poll(async () => counts.push((await viewers()).now), { intervals: [500], timeout: 60_000 })
    .toBeGreaterThan(24);
  expect(new Set(counts)).toEqual(new Set([2]));

  await expect(dashboard.getByRole('heading', { name: 'How it arrives' })).toBeVisible({ timeout: 30_000 });
  const plot = dashboard.getByRole('slider', { name: /^How the stream arrives/ });
  await expect(plot).toBeVisible({ timeout: 30_000 });
  await expect(dashboard.getByText(/^Score \d+ of 100/)).toBeVisible();
  await plot.press('ArrowLeft');
  await expect(plot).toHaveAttribute('aria-valuetext', /Bitrate [\d.]+ .bit\/s, Frames \d/);
  await dashboard.getByText('Show as a table').first().click();
  await expect(dashboard.getByRole('table', { name: /^How the stream arrived/ })).toContainText('bit/s');
  await dashboard.getByText('Show as a table').first().click();
  await look(dashboard, 'insights-live', true);

  await endStream(studio);
  await expect(dashboard.getByRole('heading', { name: 'How it arrived' })).toBeVisible({ timeout: 30_000 });
  await expect(plot).toBeVisible();
  await expect(dashboard.getByTestId('viewers-peak')).toHaveText('2');
  await expect.poll(async () => (await viewers()).peak).toBe(2);
  await dashboard.reload();
  await expect(plot).toBeVisible();
  await look(dashboard, 'insights-ended', true);
});
