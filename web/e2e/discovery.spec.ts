/** What there is to watch, by search and by what it is about. */
import { expect, look, test } from './harness';

test('what is planned is found by its words, and by its category and language', async ({
  people,
  ownChannel: channel,
  site,
}) => {
  const plan = {
    channel: channel.handle,
    title: 'Brass and patience',
    category: 'making',
    language: 'pt',
    scheduled_at: new Date(Date.now() + 3_600_000).toISOString(),
  };
  await site.api('POST', '/streams', plan);
  const page = await people.stranger();
  await page.goto('/search');
  await page.getByLabel('Search channels, streams and recordings').fill('brass');
  await expect(page.getByRole('heading', { name: 'Brass and patience' })).toBeVisible();
  await look(page, 'search');
  await page.getByLabel('Search channels, streams and recordings').fill('nothing of this name');
  await expect(page.getByRole('heading', { name: 'Brass and patience' })).toHaveCount(0);
  await look(page, 'search-nothing');

  await page.goto('/browse?category=making&language=pt');
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Portuguese');
  await expect(page.getByRole('heading', { name: 'Brass and patience' })).toBeVisible();
  await look(page, 'browse');
  await page.goto('/browse?language=!!');
  await expect(page.getByText('There is nothing here yet')).toBeVisible();
  await look(page, 'browse-nothing');
});
