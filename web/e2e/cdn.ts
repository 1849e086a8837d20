/** A CDN: a small cache in front of a server, which can be made to fail. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

const ANSWERS = { unavailable: 503, forbidden: 403, missing: 404 } as const;

/** `hangs`: requests are taken and never answered. `refuses`: nobody listens. */
export type Fault = keyof typeof ANSWERS | 'hangs' | 'refuses';

interface Kept {
  status: number;
  headers: [string, string][];
  body: Buffer;
}

export class Cdn {
  /** Answers with media. */
  served = 0;
  /** Requests, answered or not. */
  asked = 0;
  /** What it pulls from. */
  origin = '';
  readonly url: string;
  readonly #port: number;
  #server: Server;
  #fault: Fault | null = null;
  readonly #cache = new Map<string, Promise<Kept>>();

  private constructor(server: Server) {
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.#port}`;
    server.on('request', this.#answer);
  }

  static async start(): Promise<Cdn> {
    return new Cdn(await listening(0));
  }

  async fail(fault: Fault): Promise<void> {
    this.#fault = fault;
    if (fault === 'refuses') await this.stop();
  }

  async heal(): Promise<void> {
    this.#fault = null;
    if (this.#server.listening) {
      // What hung is over.
      this.#server.closeAllConnections();
      return;
    }
    this.#server = await listening(this.#port);
    this.#server.on('request', this.#answer);
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  readonly #answer: RequestListener = (request, response) => {
    this.asked += 1;
    if (this.#fault === 'hangs' || this.#fault === 'refuses') return;
    if (this.#fault) {
      response.writeHead(ANSWERS[this.#fault], { 'Access-Control-Allow-Origin': '*' }).end();
      return;
    }
    const failed = () => response.writeHead(502).end();
    this.#pull(request.url ?? '/').then(({ status, headers, body }) => {
      if (status === 200) this.served += 1;
      response.writeHead(status, Object.fromEntries(headers)).end(body);
    }, failed);
  };

  /** Equal requests are one. */
  #pull(path: string): Promise<Kept> {
    const kept = this.#cache.get(path) ?? fetchWhole(this.origin + path);
    this.#cache.set(path, kept);
    // Nothing but media is kept.
    const forget = () => this.#cache.delete(path);
    kept.then(({ status }) => status !== 200 && forget(), forget);
    return kept;
  }
}

async function listening(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function fetchWhole(url: string): Promise<Kept> {
  const response = await fetch(url);
  const passed = ['content-type', 'cache-control', 'access-control-allow-origin'];
  const headers = [...response.headers].filter(([name]) => passed.includes(name));
  return { status: response.status, headers, body: Buffer.from(await response.arrayBuffer()) };
}
