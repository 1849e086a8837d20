/** People who chat: accounts of their own, what they write, and what they read. */
import { type Cookie, expect, type Locator, type Page } from '@playwright/test';
import type { People, Site } from './harness';

export interface Member {
  page: Page;
  name: string;
}

interface Known {
  name: string;
  cookies: Cookie[];
}

/** The accounts of a server: it lets few be made in an hour, so that the next test takes them over. */
const known = new WeakMap<Site, Known[]>();
/** How many of them are in a test already. */
const taken = new WeakMap<People, number>();

/** Somebody with an account, made by an invite at the first time, and signed in. */
export async function member(people: People, site: Site): Promise<Member> {
  const place = taken.get(people) ?? 0;
  taken.set(people, place + 1);
  const page = await people.stranger();
  const accounts = known.get(site) ?? [];
  known.set(site, accounts);
  const { name, cookies } = accounts[place] ?? (await signUp(page, site, `vic${place + 1}`));
  accounts[place] = { name, cookies };
  await page.context().addCookies(cookies);
  return { page, name };
}

async function signUp(page: Page, site: Site, name: string): Promise<Known> {
  const { code } = await site.api<{ code: string }>('POST', '/admin/invites', { note: name });
  const response = await page.request.post(`${site.url}/api/auth/register`, {
    headers: { Origin: site.url },
    data: { name, password: 'correct horse battery', invite: code },
  });
  expect(response.ok(), await response.text()).toBe(true);
  return { name, cookies: await page.context().cookies() };
}

export const log = (page: Page): Locator => page.getByRole('log', { name: 'Chat messages' });

export const said = (page: Page, text: string): Locator => log(page).getByText(text, { exact: true });

export const field = (page: Page): Locator => page.getByRole('combobox', { name: 'Message' });

export async function say(page: Page, text: string): Promise<void> {
  await field(page).fill(text);
  // A list of suggestions would take the key; without one, Escape gives up an answer.
  const list = page.getByRole('listbox', { name: 'Suggestions' });
  if (await list.isVisible()) await field(page).press('Escape');
  await field(page).press('Enter');
}

/** The chat is joined, and one may write in it. */
export async function joined(page: Page): Promise<void> {
  await expect(field(page)).toBeEnabled();
}

/** Opens the tools of a message, as a mouse does. */
export async function pointAt(page: Page, text: string): Promise<void> {
  await said(page, text).hover();
  await expect(page.getByRole('button', { name: 'Reply' })).toBeVisible();
}
