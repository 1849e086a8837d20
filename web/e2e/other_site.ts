/** A site that is not ours, with pages that show a player. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export class OtherSite {
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Pages by their paths: what stands in their bodies. */
  static async open(pages: Record<string, string>): Promise<OtherSite> {
    const server = createServer((request, response) => {
      const body = pages[new URL(request.url ?? '/', 'http://site').pathname];
      response.writeHead(body === undefined ? 404 : 200, { 'Content-Type': 'text/html; charset=utf-8' });
      response.end(
        body &&
          `<!doctype html><html lang="en"><title>Another site</title><main><h1>Another site</h1>${body}</main></html>`,
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new OtherSite(server);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
