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
    await this.#do(`charges/${await this.#last('charges')}/refund`, {});
  }

  /** The card of who came last works, or does not, when it is charged the next time. */
  async setLastCard(works: boolean): Promise<void> {
    await this.#do(`customers/${await this.#last('customers')}/card`, { works });
  }

  /** Time passes at the fake alone. */
  async pass(days: number): Promise<void> {
    await this.#do('clock', { advance_seconds: days * 24 * 3600 });
  }

  async #last(kind: 'charges' | 'customers'): Promise<string> {
    const state = (await (await fetch(`${this.url}/_fake/state`)).json()) as {
      ids: Record<typeof kind, string[]>;
    };
    const last = state.ids[kind].at(-1);
    if (!last) throw new Error(`There are no ${kind}.`);
    return last;
  }

  async #do(what: string, body: object): Promise<void> {
    const response = await fetch(`${this.url}/_fake/${what}`, { method: 'POST', body: JSON.stringify(body) });
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
