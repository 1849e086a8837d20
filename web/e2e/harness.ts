/** What every test needs: a server that is set up, a channel of its own, people, and what they see. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { type Browser, type BrowserContext, test as base, expect, type Page } from '@playwright/test';
import { Server } from './server';

const SCREENS = join(import.meta.dirname, '../test-results/screens');
export const ACCOUNT = { name: 'Ada', password: 'correct horse battery' };

/** A server whose first account exists, asked over its API as that account. */
export class Site {
  readonly server: Server;
  readonly #cookie: string;

  private constructor(server: Server, cookie: string) {
    this.server = server;
    this.#cookie = cookie;
  }

  static async setUp(settings = '', environment: Record<string, string> = {}): Promise<Site> {
    const server = await Server.start(settings, environment);
    const token = new URL(server.setupLink).hash.slice(1);
    const response = await fetch(`${server.url}/api/setup`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Origin: server.url },
      body: JSON.stringify({ token, ...ACCOUNT, handle: 'ada' }),
    });
    if (response.status !== 201)
      throw new Error(`Set-up answered ${response.status}: ${await response.text()}`);
    const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? '';
    return new Site(server, cookie);
  }

  get url(): string {
    return this.server.url;
  }

  async api<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.url}/api${path}`, {
      method,
      headers: { 'Content-Type': 'application/json', Origin: this.url, Cookie: this.#cookie },
      body: body === undefined ? null : JSON.stringify(body),
    });
    if (!response.ok)
      throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  async newChannel(handle: string, name: string): Promise<void> {
    await this.api('POST', '/channels', { handle, name });
  }

  async signIn(context: BrowserContext): Promise<void> {
    const [name = '', value = ''] = this.#cookie.split('=');
    await context.addCookies([{ name, value, url: this.url }]);
  }
}

let channels = 0;

export const test = base.extend<
  { ownChannel: { handle: string; name: string }; people: People },
  { house: string; site: Site }
>({
  // Files that name another house get a server of their own: an account has at most 50 channels.
  house: ['', { scope: 'worker', option: true }],
  site: [
    async ({ house: _ }, use) => {
      const site = await Site.setUp();
      await use(site);
      await site.server.stop();
    },
    { scope: 'worker' },
  ],
  ownChannel: async ({ site }, use) => {
    channels += 1;
    const channel = { handle: `channel${channels}`, name: `Channel ${channels}` };
    await site.newChannel(channel.handle, channel.name);
    await use(channel);
    await site.api('POST', `/channels/${channel.handle}/end`).catch(() => undefined);
  },
  people: async ({ browser, site }, use) => {
    const people = new People(browser, site);
    await use(people);
    await people.leave();
  },
});

export { expect };

/** Each person has a browser profile of their own. */
export class People {
  readonly #browser: Browser;
  readonly #site: Site;
  readonly #contexts: BrowserContext[] = [];
  readonly #faults: string[] = [];

  constructor(browser: Browser, site: Site) {
    this.#browser = browser;
    this.#site = site;
  }

  async creator(): Promise<Page> {
    const page = await this.stranger();
    await this.#site.signIn(page.context());
    return page;
  }

  async stranger(): Promise<Page> {
    const context = await this.#browser.newContext({
      baseURL: this.#site.url,
      viewport: { width: 1280, height: 800 },
      permissions: ['camera', 'microphone'],
      // Colours are measured at rest.
      reducedMotion: 'reduce',
    });
    this.#contexts.push(context);
    const page = await context.newPage();
    // Leaving a studio that is on air asks; the test means it.
    page.on('dialog', (dialog) => void dialog.accept());
    page.on('pageerror', (error) => this.#faults.push(error.message));
    page.on('console', (message) => {
      if (/Content Security Policy/.test(message.text())) this.#faults.push(message.text());
    });
    return page;
  }

  async leave(): Promise<void> {
    for (const context of this.#contexts) await context.close();
    expect(this.#faults, 'errors in pages').toEqual([]);
  }
}

/** Opens the studio and its devices. */
export async function openStudio(page: Page, handle: string, search = ''): Promise<void> {
  await page.goto(`/studio?channel=${handle}${search}`);
  const ask = page.getByRole('button', { name: 'Turn on camera and microphone' });
  const goLive = page.getByRole('button', { name: 'Go live' });
  await expect(goLive).toBeVisible();
  await expect(async () => {
    // Where the devices were allowed before, the question goes away by itself.
    if (await ask.isVisible()) await ask.click({ timeout: 1000 });
    await expect(goLive).toBeEnabled({ timeout: 1000 });
  }).toPass();
}

/** Goes on air with the fake camera. */
export async function goLive(page: Page, handle: string, search = ''): Promise<void> {
  await openStudio(page, handle, search);
  await page.getByRole('button', { name: 'Go live' }).click();
  await expect(page.getByText(/^On air \d/)).toBeVisible();
}

export async function endStream(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'End stream' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'End stream' }).click();
}

/** The element that is seen: while a change of transport gets ready, another is behind it. */
export const PICTURE = 'video:not([data-behind])';

/** Waits until a stream can be watched by HLS. */
export async function hlsReady(site: Site, handle: string): Promise<void> {
  const state = async () =>
    (await site.api<{ hls: { state: string } | null }>('GET', `/channels/${handle}`)).hls?.state;
  await expect.poll(state, { timeout: 30_000 }).toBe('ready');
}

/** Put into a page before anything else: when the first frame is seen, in milliseconds of the page's life. */
export function noteFirstPicture(selector: string): void {
  const look = () => {
    const video = document.querySelector<HTMLVideoElement>(selector);
    if (!video || video.getVideoPlaybackQuality().totalVideoFrames === 0) requestAnimationFrame(look);
    else Object.assign(window, { firstPicture: performance.now() });
  };
  look();
}

export function firstPicture(page: Page): Promise<number> {
  return page.evaluate(() => Math.round((window as unknown as { firstPicture: number }).firstPicture));
}

/** Waits until the picture moves: 15 more frames, whichever element shows them. */
export async function expectMovingPicture(page: Page): Promise<void> {
  const frames = () =>
    page
      .locator(PICTURE)
      .evaluate((video: HTMLVideoElement) => video.getVideoPlaybackQuality().totalVideoFrames);
  let last = await frames();
  let seen = 0;
  const more = async () => {
    const now = await frames();
    seen += Math.max(0, now - last);
    last = now;
    return seen;
  };
  await expect.poll(more, { timeout: 30_000 }).toBeGreaterThan(15);
}

/** Waits until the decoded picture has this size. */
export async function expectSize(page: Page, size: string): Promise<void> {
  const decoded = () =>
    page.locator(PICTURE).evaluate((video: HTMLVideoElement) => `${video.videoWidth}x${video.videoHeight}`);
  await expect.poll(decoded, { timeout: 30_000 }).toBe(size);
}

/** Moves the mouse over the picture, so that its controls show. */
export async function wake(page: Page): Promise<void> {
  await page.mouse.move(300, 180);
  await page.mouse.move(310, 190);
}

/** While its numbers tick, a page says nothing again to people who listen to it. */
export async function expectQuiet(page: Page): Promise<void> {
  const said = await page.evaluate(
    () =>
      new Promise<string[]>((resolve) => {
        const read = () =>
          [...document.querySelectorAll('[role=status], [role=alert]')]
            .map(({ textContent }) => textContent)
            .join(' | ');
        const texts = [read()];
        const timer = setInterval(() => {
          if (texts.push(read()) < 12) return;
          clearInterval(timer);
          resolve([...new Set(texts)]);
        }, 250);
      }),
  );
  expect(said, 'what is read out in three seconds').toHaveLength(1);
}

/** No serious or critical fault for people with assistive technology. */
export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  expect(
    serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`),
  ).toEqual([]);
}

const LOOKS = [
  [390, 844, 'dark'],
  [1280, 800, 'light'],
  [1280, 800, 'dark'],
] as const;
const WIDE = [1920, 1080, 'dark'] as const;

/** Screenshots for people to look at, on a desk and on a phone, in both themes, each checked by axe. */
export async function look(page: Page, name: string, wide = false): Promise<void> {
  mkdirSync(SCREENS, { recursive: true });
  for (const [width, height, colorScheme] of wide ? [...LOOKS, WIDE] : LOOKS) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    // What floats is put into its place a frame after the page has another width.
    const sideways = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await expect.poll(sideways, `${name} at ${width} px scrolls sideways`).toBeLessThanOrEqual(0);
    await expectAccessible(page);
    if ((await page.locator('[data-controls]').count()) > 0) await wake(page);
    await page.screenshot({ path: join(SCREENS, `${name}-${width}-${colorScheme}.png`) });
  }
}
