/** A fake of Stripe for payments by hand: its API, its pages to pay on, and its events. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const BINARY = process.env.FAKE_STRIPE_BIN ?? resolve(import.meta.dirname, '../../target/debug/fake-stripe');
const START_LIMIT_MS = 10_000;
const SECRET = 'whsec_dev';

export class FakeStripe {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, url: string) {
    this.#process = process;
    this.url = url;
  }

  static async start(): Promise<FakeStripe> {
    if (!existsSync(BINARY)) throw new Error(`There is no fake of Stripe at ${BINARY}: build it first.`);
    const process = spawn(BINARY, ['--listen', '127.0.0.1:0', '--secret', SECRET], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return new FakeStripe(process, await address(process));
  }

  /** What a server needs to know of it. */
  get environment(): Record<string, string> {
    return {
      TALLYLIGHT_PAYMENTS_SECRET_KEY: 'sk_test_dev',
      TALLYLIGHT_PAYMENTS_WEBHOOK_SECRETS: SECRET,
      TALLYLIGHT_PAYMENTS_STRIPE_URL: `${this.url}/`,
    };
  }

  /** From now on its events go to this server. */
  async tell(server: string): Promise<void> {
    const response = await fetch(`${this.url}/_fake/webhooks`, {
      method: 'POST',
      body: JSON.stringify({ url: `${server}/webhooks/stripe`, secret: SECRET }),
    });
    if (!response.ok) throw new Error(`The fake of Stripe answered ${response.status}`);
  }

  /** Gives back what was paid last, as somebody does on Stripe's dashboard. */
  async refundLast(): Promise<void> {
    const state = (await (await fetch(`${this.url}/_fake/state`)).json()) as { ids: { charges: string[] } };
    const paid = state.ids.charges.at(-1);
    if (!paid) throw new Error('Nothing was paid.');
    const response = await fetch(`${this.url}/_fake/charges/${paid}/refund`, { method: 'POST', body: '{}' });
    if (!response.ok) throw new Error(`The fake of Stripe answered ${response.status}`);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }
}

/** Where it says that it listens. */
function address(process: ChildProcess): Promise<string> {
  return new Promise((found, failed) => {
    let said = '';
    const timer = setTimeout(() => failed(new Error(`No address: ${said}`)), START_LIMIT_MS);
    process.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const url = /listens on (http:\/\/\S+)/.exec(said)?.[1];
      if (!url) return;
      clearTimeout(timer);
      found(url.replace(/\/$/, ''));
    });
    process.once('error', failed);
    process.once('exit', (code) => failed(new Error(`The fake of Stripe stopped with ${code}: ${said}`)));
  });
}
