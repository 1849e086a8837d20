/** Browsers that may use relayed candidates alone, as behind a firewall that lets nothing else through. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import type { BrowserContext, Page } from '@playwright/test';
import config from '../playwright.config';
import { issueTrusted } from './certificate';
import { expect, expectMovingPicture, goLive, People, Site, test } from './harness';

// Trusts the server's certificate.
const HOME = mkdtempSync(join(tmpdir(), 'tallylight-turn-'));
test.use({ launchOptions: { ...config.use?.launchOptions, env: { ...env, HOME } } });
test.afterAll(() => rmSync(HOME, { recursive: true }));

/** All connections of these pages go by TURN, and by one way of it. */
async function relayedBy(context: BrowserContext, way: string): Promise<void> {
  await context.addInitScript((wanted) => {
    const Direct = window.RTCPeerConnection;
    const all: RTCPeerConnection[] = [];
    const only = (configuration: RTCConfiguration = {}): RTCConfiguration => ({
      ...configuration,
      iceTransportPolicy: 'relay',
      iceServers: (configuration.iceServers ?? []).filter(({ urls }) =>
        [urls]
          .flat()
          .some(
            (url) => url.startsWith(wanted.split('?')[0] ?? '') && url.endsWith(wanted.split('?')[1] ?? ''),
          ),
      ),
    });
    window.RTCPeerConnection = class extends Direct {
      constructor(configuration?: RTCConfiguration) {
        super(only(configuration));
        all.push(this);
      }
      override setConfiguration(configuration?: RTCConfiguration) {
        super.setConfiguration(only(configuration));
      }
    };
    Object.assign(window, { connections: all });
  }, way);
}

/** How the media of a page travel to the server's TURN, once they do. */
async function wayOf(page: Page): Promise<string> {
  const look = () =>
    page.evaluate(async () => {
      const all = (window as unknown as { connections: RTCPeerConnection[] }).connections;
      for (const connection of all) {
        const stats = [...(await connection.getStats()).values()];
        const pair = stats.find(({ type, nominated }) => type === 'candidate-pair' && nominated);
        const local = stats.find(({ id }) => id === pair?.localCandidateId);
        // The SFU sees it come from another address than the relay is told by, so that it is `prflx`, too.
        if (local) return `${local.relayProtocol ?? local.candidateType}`;
      }
      return '';
    });
  await expect.poll(look).not.toBe('');
  return look();
}

test('streams come and go by TURN over UDP, TCP and TLS', async ({ browser }) => {
  const tls = {
    TALLYLIGHT_TURN_TLS_LISTEN: '127.0.0.1:0',
    TALLYLIGHT_TURN_HOST: 'localhost',
    ...issueTrusted(HOME),
  };
  const site = await Site.setUp('', tls);
  const people = new People(browser, site);
  try {
    const studio = await people.creator();
    await relayedBy(studio.context(), 'turn:?udp');
    await goLive(studio, 'ada');
    expect(await wayOf(studio), 'the publisher').toBe('udp');
    const ways = [
      ['turn:?udp', 'udp'],
      ['turn:?tcp', 'tcp'],
      ['turns:?tcp', 'tls'],
    ] as const;
    for (const [way, told] of ways) {
      const viewer = await people.stranger();
      await relayedBy(viewer.context(), way);
      // On a busy machine the first picture may else be HLS's, which needs no TURN.
      await viewer.context().route('**/*.m3u8*', (route) => route.abort());
      await viewer.goto('/@ada');
      await expectMovingPicture(viewer);
      expect(await wayOf(viewer), way).toBe(told);
      await expect(viewer.getByRole('button', { name: /^Latency: Instant/ }), way).toBeVisible();
      await viewer.context().close();
    }
    await people.leave();
  } finally {
    await site.server.stop();
  }
});
