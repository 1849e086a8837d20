/** A mail server that takes every letter, for tests. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export class Mailbox {
  /** Each as it came, its lines put together again. */
  readonly letters: string[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((socket) => {
      // A sender that ends without a word, as one that is stopped, has sent what it had to.
      this.#converse(socket).catch(() => socket.destroy());
    });
  }

  static async open(): Promise<Mailbox> {
    const mailbox = new Mailbox();
    mailbox.#server.listen(0, '127.0.0.1');
    await once(mailbox.#server, 'listening');
    return mailbox;
  }

  /** What a server's configuration says to send by it. */
  get config(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `\n[mail]\nhost = "127.0.0.1"\nport = ${port}\ntls = "none"\nfrom = "live@example.org"\n`;
  }

  close(): void {
    this.#server.close();
  }

  /** As much of RFC 5321 as a sender needs. */
  async #converse(socket: Socket): Promise<void> {
    socket.on('error', () => socket.destroy());
    socket.write('220 mail.test\r\n');
    let letter: string[] | null = null;
    for await (const line of createInterface({ input: socket })) {
      if (letter && line !== '.') letter.push(line);
      else if (letter) {
        this.letters.push(letter.join('\n').replaceAll('=\n', '').replaceAll('=3D', '='));
        letter = null;
        socket.write('250 taken\r\n');
      } else if (line === 'DATA') {
        letter = [];
        socket.write('354 go on\r\n');
      } else if (line === 'QUIT') socket.end('221 bye\r\n');
      else socket.write('250 ok\r\n');
    }
  }
}

/** A port that nobody has now: links in mails name it before the server is there. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
