/** Money as people meet it: setting prices, joining, tipping, giving back. */
import { field, joined, log, member, said, say } from './chat_people';
import { FakeStripe } from './fake_stripe';
import { expect, look, People, Site, test } from './harness';
import { give, join, newShop, paid, pay, tip, toPayment } from './paid';
import { png } from './png';

paid(
  'a creator says what is sold, and what is wrong with it is told where it is',
  async ({ crowd, shopSite }) => {
    await shopSite.newChannel('newshop', 'New shop');
    const creator = await crowd.creator();
    await creator.goto('/dashboard/money?channel=newshop');
    await expect(creator.getByText('Test mode: no money moves')).toBeVisible();
    await expect(creator.getByText('Nothing is sold yet')).toBeVisible();
    await look(creator, 'money-empty');
    await creator.getByRole('link', { name: 'Set prices' }).click();
    await creator.getByRole('button', { name: 'Add a tier' }).click();
    const tier = creator.getByRole('group', { name: 'Tier 1' });
    await tier.getByLabel('Name').fill('Friend');
    await tier.getByLabel('What members get').fill('A badge\nEmotes');
    await tier.getByLabel('A month (EUR)').fill('a lot');
    await creator.getByRole('button', { name: 'Save' }).click();
    await expect(tier.getByText('An amount such as 5.00.')).toBeVisible();
    // The server knows the bounds.
    await tier.getByLabel('A month (EUR)').fill('0,10');
    await creator.getByRole('button', { name: 'Save' }).click();
    await expect(tier.getByText(/0\.50 EUR to/)).toBeVisible();
    await look(creator, 'money-sell-wrong');
    await tier.getByLabel('A month (EUR)').fill('4,99');
    await creator.getByRole('switch', { name: 'Take tips' }).check();
    await creator.getByLabel('Least tip (EUR)').fill('1');
    await creator.getByRole('button', { name: 'Save' }).click();
    await expect(creator.getByText('Saved')).toBeVisible();
    await expect(tier.getByLabel('A month (EUR)')).toHaveValue('4.99');
    await look(creator, 'money-sell');
    for (const part of ['Tickets', 'Members', 'Alerts', 'Set-up']) {
      await creator.getByRole('navigation', { name: 'Money' }).getByRole('link', { name: part }).click();
      await expect(creator.getByRole('heading', { level: 2 }).nth(1)).toBeVisible();
      await look(creator, `money-${part.toLowerCase()}`);
    }
  },
);

paid(
  'a viewer joins and is a member, and whoever leaves the payment pays nothing',
  async ({ crowd, shopSite }) => {
    const channel = await newShop(shopSite);
    const { page } = await member(crowd, shopSite);
    await page.goto(`/@${channel.handle}`);
    await join(page).click();
    await page.getByRole('radio', { name: 'Yearly' }).check({ force: true });
    await expect(page.getByRole('radio', { name: /Patron/ })).toBeDisabled();
    await page.getByRole('radio', { name: 'Monthly' }).check({ force: true });
    await look(page, 'join-dialog');
    await page.keyboard.press('Escape');

    await toPayment(page);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await expect(page.getByText('Nothing was paid')).toBeVisible();
    await expect(page).toHaveURL(`${shopSite.url}/@${channel.handle}`);
    await look(page, 'watch-nothing-paid');
    await expect(join(page)).toBeVisible();

    await toPayment(page);
    await page.getByRole('button', { name: 'Decline' }).click();
    await expect(page.getByRole('alert')).toBeVisible();
    await page.getByRole('button', { name: /^Pay / }).click();
    const thanks = page.getByRole('dialog', { name: 'Thank you!' });
    await expect(thanks.getByText('You are a member now')).toBeVisible();
    await expect(thanks.getByText('Say hello in the chat.')).toBeVisible();
    await expect(page).toHaveURL(`${shopSite.url}/@${channel.handle}`);
    await look(page, 'join-thanks');
    await thanks.getByRole('button', { name: 'Go on watching' }).click();

    await page.getByRole('button', { name: 'Member · Friend' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('radio', { name: /Patron/ }).check();
    await dialog.getByRole('button', { name: 'Change to this tier' }).click();
    await look(page, 'join-change');
    await dialog.getByRole('button', { name: 'Change to Patron' }).click();
    await expect(dialog.getByText('Done: you have Patron now.')).toBeVisible();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await expect(page.getByRole('button', { name: 'Member · Patron' })).toBeVisible();

    await page.goto('/memberships');
    // The same person may be a member of other channels.
    const named = page.getByRole('link', { name: channel.name, exact: true });
    const here = page.getByRole('listitem').filter({ has: named });
    await expect(here.getByText(/next payment on/)).toBeVisible();
    await expect(here.getByText(/^Membership for/)).toBeVisible();
    await look(page, 'memberships');
    await page.getByRole('button', { name: 'Manage or cancel' }).click();
    await expect(page.getByText('Fake Stripe').first()).toBeVisible();
  },
);

paid(
  'a tip brings its words, the book has it, and a refund ends a membership',
  async ({ crowd, shopSite }) => {
    const channel = await newShop(shopSite);
    const { page, name } = await member(crowd, shopSite);
    const creator = await crowd.creator();
    await creator.goto(`/dashboard/money?channel=${channel.handle}&part=alerts`);
    await creator.getByRole('button', { name: 'Make the address' }).click();
    const address = await creator.locator('code').first().textContent();
    const alerts = await crowd.stranger();
    const opened = alerts.waitForResponse(/alerts\/events/);
    await alerts.goto(address ?? '');
    expect((await opened).status()).toBe(200);

    await page.goto(`/@${channel.handle}`);
    await page.getByRole('button', { name: 'Tip', exact: true }).click();
    const tip = page.getByRole('dialog', { name: /^Tip / });
    await tip.getByLabel('Or another amount (EUR)').fill('0,10');
    await expect(tip.getByText(/^Such as/)).toBeVisible();
    await tip.getByLabel('Or another amount (EUR)').fill('12,50');
    await tip.getByLabel('Message').fill('What a <b>show</b>!');
    await look(page, 'tip-dialog');
    await tip.getByRole('button', { name: 'Continue to pay €12.50' }).click();
    await page.getByRole('button', { name: /^Pay / }).click();
    await expect(page.getByText(`Your tip of €12.50 is sent to ${channel.name}.`)).toBeVisible();
    await page.getByRole('button', { name: 'Go on watching' }).click();
    await expect(alerts.getByText('tips €12.50')).toBeVisible();
    await expect(alerts.getByText('What a <b>show</b>!')).toBeVisible();
    // An encoder lays the page over the picture: nothing of it is behind the words.
    expect(await alerts.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)).toBe(
      'rgba(0, 0, 0, 0)',
    );
    await look(alerts, 'alerts');

    await toPayment(page);
    await page.getByRole('button', { name: /^Pay / }).click();
    await page.getByRole('button', { name: 'Go on watching' }).click();
    await expect(page.getByRole('button', { name: 'Member · Friend' })).toBeVisible();

    await creator.goto(`/dashboard/money?channel=${channel.handle}`);
    // What a membership brings comes by an event, a moment later.
    await expect(creator.getByText('€17.49').first()).toBeVisible();
    await look(creator, 'money-revenue');
    const nav = creator.getByRole('navigation', { name: 'Money' });
    await nav.getByRole('link', { name: 'Members' }).click();
    await expect(creator.getByRole('rowheader', { name })).toBeVisible();
    await look(creator, 'money-members-one');
    await nav.getByRole('link', { name: 'Payments' }).click();
    await expect(creator.getByText('“What a <b>show</b>!”')).toBeVisible();
    await look(creator, 'money-payments');
    await creator.getByRole('button', { name: `Refund €4.99 to ${name}` }).click();
    const ask = creator.getByRole('dialog', { name: 'Refund €4.99?' });
    await expect(ask.getByText(/ends at once/)).toBeVisible();
    await look(creator, 'money-refund');
    await ask.getByRole('button', { name: 'Refund €4.99' }).click();
    await expect(ask).toHaveCount(0);
    await expect(creator.getByText('Refund: membership')).toBeVisible();
    await expect(creator.getByText('-€4.99')).toBeVisible();
    await page.reload();
    await expect(join(page)).toBeVisible();

    await creator.goto('/admin/payments');
    await expect(creator.getByText('Refund: membership').first()).toBeVisible();
    await look(creator, 'admin-payments');
  },
);

paid(
  'who is not signed in comes back to what they wanted, and gifts have a total',
  async ({ crowd, shopSite }) => {
    const channel = await newShop(shopSite);
    const page = await crowd.stranger();
    await page.goto(`/@${channel.handle}`);
    await join(page).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Sign in to continue' }).click();
    await expect(page).toHaveURL(/\/login\?next=/);
    // The owner of the server is somebody else's viewer as well.
    const { page: viewer } = await member(crowd, shopSite);
    await viewer.goto(`/@${channel.handle}?join=1`);
    const dialog = viewer.getByRole('dialog', { name: `Join ${channel.name}` });
    await dialog.getByRole('button', { name: 'Gift memberships' }).click();
    const gift = viewer.getByRole('dialog', { name: /^Gift memberships/ });
    await gift.getByLabel('Or another number').fill('51');
    await expect(gift.getByText('1 to 50.')).toBeVisible();
    await gift.getByLabel('Or another number').fill('3');
    await expect(gift.getByText('€14.97')).toBeVisible();
    await look(viewer, 'gift-dialog');
    await gift.getByRole('button', { name: 'Continue to payment' }).click();
    await viewer.getByRole('button', { name: /^Pay / }).click();
    await expect(viewer.getByText(/^Your gifts are on their way/)).toBeVisible();
  },
);

paid(
  'a tip and gifts are thanked for in the chat, and gifts that are left are taken there or by their link',
  async ({ crowd, shopSite }) => {
    const channel = await newShop(shopSite);
    const [giver, early, late] = [
      await member(crowd, shopSite),
      await member(crowd, shopSite),
      await member(crowd, shopSite),
    ];
    // Gifts go first to members of the server who are there: whoever reads along is none of them.
    const stranger = await crowd.stranger();
    await stranger.goto(`/@${channel.handle}`);
    await expect(stranger.getByText('Nothing said yet. Say hello.')).toBeVisible();

    await giver.page.goto(`/@${channel.handle}`);
    await tip(giver.page, '7', 'Play it :fire: again');
    await expect(log(stranger).getByText('tips €7.00')).toBeVisible();
    await expect(said(stranger, 'Play it 🔥 again')).toBeVisible();
    await give(giver.page, channel.handle, 2);
    await expect(log(stranger).getByText('gives 2 memberships')).toBeVisible();
    const signIn = log(stranger).getByRole('link', { name: 'Sign in to take one' });
    await expect(signIn).toBeVisible();
    await look(stranger, 'chat-thanks');
    const copy = log(giver.page).getByRole('button', { name: 'Copy the link to the gifts' });
    await expect(copy).toBeVisible();

    await early.page.goto(`/@${channel.handle}`);
    await log(early.page).getByRole('button', { name: 'Take one' }).click();
    await expect(said(early.page, 'You are a member now: Friend.')).toBeVisible();
    await expect(log(early.page).getByRole('button', { name: 'Take one' })).toHaveCount(0);
    await expect(early.page.getByRole('button', { name: 'Member · Friend' })).toBeVisible();

    await signIn.click();
    await expect(stranger).toHaveURL(/\/login\?next=/);
    await stranger.getByLabel('Name or e-mail address').fill(late.name);
    await stranger.getByLabel('Password').fill('correct horse battery');
    await stranger.getByRole('button', { name: 'Sign in' }).click();
    const dialog = stranger.getByRole('dialog', { name: `A membership of ${channel.name} for you` });
    await expect(dialog.getByRole('button', { name: 'Take one' })).toBeVisible();
    await expect(stranger).toHaveURL(`${shopSite.url}/@${channel.handle}`);
    await look(stranger, 'gift-link');
    await dialog.getByRole('button', { name: 'Take one' }).click();
    const thanks = stranger.getByRole('dialog', { name: 'Enjoy your gift!' });
    await expect(thanks.getByText(`You are a member now: Friend of ${channel.name}.`)).toBeVisible();
    await thanks.getByRole('button', { name: 'Go on watching' }).click();
    await expect(stranger.getByRole('button', { name: 'Member · Friend' })).toBeVisible();
  },
);

paid('an emote for members is locked until one has joined', async ({ crowd, shopSite }) => {
  const channel = await newShop(shopSite);
  const creator = await crowd.creator();
  await creator.goto(`/dashboard/chat?channel=${channel.handle}`);
  await creator.getByLabel('Code').fill('party');
  await creator.getByLabel('Who may use it').selectOption({ label: 'Members' });
  await creator
    .getByLabel('Choose an emote')
    .setInputFiles({ name: 'party.png', mimeType: 'image/png', buffer: png(112, 112) });
  await expect(creator.getByRole('listitem').filter({ hasText: ':party:' })).toContainText('Members');
  await look(creator, 'dashboard-emote-tier');

  const { page } = await member(crowd, shopSite);
  await page.goto(`/@${channel.handle}`);
  await joined(page);
  await say(page, 'hey :party:');
  await expect(log(page).getByRole('alert')).toContainText(':party: is for members');
  const open = page.getByRole('button', { name: 'Emotes and emoji' });
  await open.click();
  const locked = page.getByRole('region', { name: 'Members' }).getByRole('button', { name: /^:party:/ });
  await expect(locked).toBeVisible();
  await look(page, 'chat-picker-locked');
  await locked.click();
  await page.getByRole('dialog').getByRole('button', { name: 'Continue to payment' }).click();
  await page.getByRole('button', { name: /^Pay / }).click();
  await page.getByRole('button', { name: 'Go on watching' }).click();
  await expect(page.getByRole('button', { name: 'Member · Friend' })).toBeVisible();

  await joined(page);
  await open.click();
  await page
    .getByRole('region', { name: 'Of this channel' })
    .getByRole('button', { name: ':party:' })
    .click();
  await page.keyboard.press('Escape');
  await field(page).press('Enter');
  await expect(log(page).getByRole('img', { name: ':party:' })).toBeVisible();
});

paid('a channel for members says how to become one, and lets in who joined', async ({ crowd, shopSite }) => {
  const channel = await newShop(shopSite);
  await shopSite.api('PATCH', `/channels/${channel.handle}`, { visibility: 'members' });
  const { page } = await member(crowd, shopSite);
  await page.goto(`/@${channel.handle}`);
  await expect(page.getByRole('heading', { name: 'This channel is for members' })).toBeVisible();
  await look(page, 'locked-members');
  await join(page).first().click();
  await page.getByRole('dialog').getByRole('button', { name: 'Continue to payment' }).click();
  await page.getByRole('button', { name: /^Pay / }).click();
  await page.getByRole('button', { name: 'Go on watching' }).click();
  await expect(page.getByRole('heading', { name: 'This channel is for members' })).toHaveCount(0);
  await expect(page.getByRole('region', { name: /^Live video/ })).toBeVisible();
});

paid('a ticket is put on sale, bought once, and sold no more', async ({ crowd, shopSite }) => {
  const channel = await newShop(shopSite);
  const scheduled_at = new Date(Date.now() + 86_400_000).toISOString();
  await shopSite.api('POST', '/streams', { channel: channel.handle, title: 'Concert', scheduled_at });
  const creator = await crowd.creator();
  await creator.goto(`/dashboard/money?channel=${channel.handle}&part=tickets`);
  await creator.getByLabel('Name').fill('Concert on Saturday');
  await creator.getByLabel('Price (EUR)').fill('8');
  await creator.getByRole('checkbox', { name: /Concert/ }).check();
  await creator.getByRole('button', { name: 'Put it on sale' }).click();
  await expect(creator.getByText('It is on sale now, on your page.')).toBeVisible();
  await look(creator, 'money-tickets-one');

  const { page } = await member(crowd, shopSite);
  const buy = page.getByRole('button', { name: 'Buy the ticket Concert on Saturday for €8.00' });
  await page.goto(`/@${channel.handle}?join=1`);
  await buy.scrollIntoViewIfNeeded();
  await look(page, 'join-tickets');
  await buy.click();
  await page.getByRole('button', { name: /^Pay / }).click();
  await expect(page.getByText(/^The ticket is yours/)).toBeVisible();
  await page.goto(`/@${channel.handle}?join=1`);
  await buy.click();
  await expect(page.getByText('You have this ticket already')).toBeVisible();

  await creator.getByRole('button', { name: 'Stop selling Concert on Saturday' }).click();
  await creator.getByRole('dialog').getByRole('button', { name: 'Stop selling' }).click();
  await expect(creator.getByText('Not sold any more')).toBeVisible();
});

paid('a payment that is missing is told, and paid after all it is none any more', async ({ browser }) => {
  // Its clock is its own: what is paid elsewhere must not fall due.
  const stripe = await FakeStripe.start();
  const site = await Site.setUp('', stripe.environment);
  await stripe.tell(site.url);
  const people = new People(browser, site);
  const channel = await newShop(site);
  const { page } = await member(people, site);
  await page.goto(`/@${channel.handle}`);
  await toPayment(page);
  await pay(page);
  await expect(page.getByRole('button', { name: 'Member · Friend' })).toBeVisible();
  await stripe.setLastCard(false);
  await stripe.pass(32);
  const after = (words: string) =>
    expect(async () => {
      await page.goto('/memberships');
      await expect(page.getByText(words)).toBeVisible({ timeout: 1000 });
    }).toPass();
  await after('Payment missing');
  await expect(page.getByText(/goes on for some days/)).toBeVisible();
  await look(page, 'memberships-past-due');
  // Stripe tries again.
  await stripe.setLastCard(true);
  await stripe.pass(5);
  await after('next payment on');
  await expect(page.getByText('Payment missing')).toHaveCount(0);
  await people.leave();
  await site.server.stop();
  await stripe.stop();
});

paid('where creators have accounts of their own, one is connected first', async ({ browser, stripe }) => {
  const site = await Site.setUp('\n[payments]\npayout = "connect"\nfee_percent = 5\n', stripe.environment);
  const people = new People(browser, site);
  const creator = await people.creator();
  await creator.goto('/dashboard/money');
  await expect(creator.getByText('Nothing can be sold yet')).toBeVisible();
  await creator.getByRole('link', { name: 'Go to the set-up' }).click();
  await expect(creator.getByText('This server keeps 5 % of each payment')).toBeVisible();
  await look(creator, 'money-connect');
  await creator.getByRole('button', { name: 'Connect with Stripe' }).click();
  await creator.getByRole('button', { name: 'Complete' }).click();
  await expect(creator.getByText('Ready', { exact: true })).toBeVisible();
  await expect(creator).toHaveURL(/\/dashboard\/money\?part=set-up/);
  await look(creator, 'money-connected');
  await creator.getByRole('button', { name: 'See payouts at Stripe' }).click();
  await expect(creator.getByText('Fake Stripe').first()).toBeVisible();
  await people.leave();
  await site.server.stop();
});

paid('an address of alerts that is none says what to do', async ({ crowd }) => {
  const page = await crowd.stranger();
  await page.goto('/alerts#wrong');
  await expect(page.getByRole('alert')).toContainText('Make a new one in the dashboard');
  await look(page, 'alerts-wrong');
});

test('without payments nothing of them is seen', async ({ people, ownChannel: channel }) => {
  const creator = await people.creator();
  await creator.goto(`/dashboard?channel=${channel.handle}`);
  await expect(creator.getByRole('link', { name: 'Insights' })).toBeVisible();
  await expect(creator.getByRole('link', { name: 'Money' })).toHaveCount(0);
  await creator.goto('/memberships');
  await expect(creator.getByText('There are no payments on this server')).toBeVisible();
  const viewer = await people.stranger();
  await viewer.goto(`/@${channel.handle}`);
  await expect(viewer.getByRole('button', { name: 'Share' })).toBeVisible();
  await expect(join(viewer)).toHaveCount(0);
});
