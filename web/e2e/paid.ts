/** A server that takes money from a fake of Stripe, channels that sell, and the ways to pay. */
import type { Page } from '@playwright/test';
import { FakeStripe } from './fake_stripe';
import { expect, People, Site, test } from './harness';

/** A server on which creators are paid, with its people. */
export const paid = test.extend<{ crowd: People }, { stripe: FakeStripe; house: string; shopSite: Site }>({
  stripe: [
    async ({ house: _ }, use) => {
      const stripe = await FakeStripe.start();
      await use(stripe);
      await stripe.stop();
    },
    { scope: 'worker' },
  ],
  shopSite: [
    async ({ stripe }, use) => {
      const site = await Site.setUp('', stripe.environment);
      await stripe.tell(site.url);
      await use(site);
      await site.server.stop();
    },
    { scope: 'worker' },
  ],
  crowd: async ({ browser, shopSite }, use) => {
    const people = new People(browser, shopSite);
    await use(people);
    await people.leave();
  },
});

const SHOP = {
  currency: 'eur',
  welcome: 'Good to have you here!\nSay hello in the chat.',
  takes_tips: true,
  least_tip: 100,
  tiers: [
    { name: 'Friend', perks: ['A badge in the chat'], month: 499, year: 4990 },
    { name: 'Patron', perks: ['Streams for patrons', 'Your name at the end'], month: 999, year: null },
  ],
};

let shops = 0;

/** A channel of its own that sells. */
export async function newShop(site: Site): Promise<{ handle: string; name: string }> {
  shops += 1;
  const channel = { handle: `shop${shops}`, name: `Shop ${shops}` };
  await site.newChannel(channel.handle, channel.name);
  await site.api('PATCH', `/channels/${channel.handle}/shop`, SHOP);
  return channel;
}

export const join = (page: Page) => page.getByRole('button', { name: 'Join', exact: true });

/** Chooses the first tier; a page that is about joining has the way to it twice. */
export async function toPayment(page: Page): Promise<void> {
  await join(page).first().click();
  await page.getByRole('dialog').getByRole('button', { name: 'Continue to payment' }).click();
  await expect(page.getByText('Fake Stripe')).toBeVisible();
}

/** Pays what is open at the fake of Stripe, and comes back. */
export async function pay(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Pay / }).click();
  await page.getByRole('button', { name: 'Go on watching' }).click();
}

/** Sends money with words, from the channel's page. */
export async function tip(page: Page, amount: string, message: string): Promise<void> {
  await page.getByRole('button', { name: 'Tip', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: /^Tip / });
  await dialog.getByLabel('Or another amount (EUR)').fill(amount);
  await dialog.getByLabel('Message').fill(message);
  await dialog.getByRole('button', { name: /^Continue to pay/ }).click();
  await pay(page);
}

/** Pays memberships of a month for others. */
export async function give(page: Page, handle: string, quantity: number): Promise<void> {
  await page.goto(`/@${handle}?join=1`);
  await page.getByRole('dialog').getByRole('button', { name: 'Gift memberships' }).click();
  const dialog = page.getByRole('dialog', { name: /^Gift memberships/ });
  await dialog.getByLabel('Or another number').fill(String(quantity));
  await dialog.getByRole('button', { name: 'Continue to payment' }).click();
  await pay(page);
}
