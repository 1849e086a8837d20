/** A small provider of OpenID Connect: a page with one button, codes, signed tokens. */
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const KEYS = generateKeyPairSync('rsa', { modulusLength: 2048 });

export class Provider {
  readonly issuer: string;
  readonly #server: Server;
  /** What was asked for with each code that is not used yet. */
  readonly #codes = new Map<string, URLSearchParams>();

  private constructor(server: Server) {
    this.#server = server;
    this.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => void this.#answer(request, response));
  }

  static async start(): Promise<Provider> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Provider(server);
  }

  /** Its part of the configuration. */
  get config(): string {
    return `
[[oidc.providers]]
name = "work"
label = "Work account"
issuer = "${this.issuer}"
client_id = "tallylight"
client_secret = "secret"
`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.issuer);
    const json = (body: unknown, status = 200) =>
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        json({
          issuer: this.issuer,
          authorization_endpoint: `${this.issuer}/authorize`,
          token_endpoint: `${this.issuer}/token`,
          jwks_uri: `${this.issuer}/jwks`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['RS256'],
        });
        return;
      case '/jwks':
        json({
          keys: [{ ...KEYS.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }],
        });
        return;
      case '/authorize': {
        const code = randomUUID();
        this.#codes.set(code, url.searchParams);
        const back = new URL(url.searchParams.get('redirect_uri') ?? '');
        back.search = String(new URLSearchParams({ code, state: url.searchParams.get('state') ?? '' }));
        response
          .writeHead(200, { 'Content-Type': 'text/html' })
          .end(
            `<!doctype html><title>Work</title><a href="${back.href.replaceAll('&', '&amp;')}">I am Grace</a>`,
          );
        return;
      }
      case '/token': {
        let body = '';
        for await (const chunk of request) body += chunk;
        const asked = new URLSearchParams(body);
        const begun = this.#codes.get(asked.get('code') ?? '');
        this.#codes.delete(asked.get('code') ?? '');
        const proof = createHash('sha256')
          .update(asked.get('code_verifier') ?? '')
          .digest('base64url');
        if (!begun || proof !== begun.get('code_challenge')) {
          json({ error: 'invalid_grant' }, 400);
          return;
        }
        json({ access_token: randomUUID(), token_type: 'Bearer', id_token: this.#token(begun) });
        return;
      }
      default:
        response.writeHead(404).end();
    }
  }

  #token(begun: URLSearchParams): string {
    const now = Math.floor(Date.now() / 1000);
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = [
      part({ alg: 'RS256', kid: 'one', typ: 'JWT' }),
      part({
        iss: this.issuer,
        aud: 'tallylight',
        sub: 'grace-1',
        iat: now,
        exp: now + 300,
        nonce: begun.get('nonce'),
        preferred_username: 'Grace',
      }),
    ].join('.');
    return `${text}.${sign('sha256', Buffer.from(text), KEYS.privateKey).toString('base64url')}`;
  }
}
