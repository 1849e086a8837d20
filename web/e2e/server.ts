/** Starts the real server on free ports with a folder of its own, and stops it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { env } from 'node:process';

const BINARY = process.env.TALLYLIGHT_BIN ?? resolve(import.meta.dirname, '../../target/debug/tallylight');
const START_LIMIT_MS = 30_000;

const CONFIG = `
[http]
listen = "127.0.0.1:0"
admin = false

[rtmp]
listen = "127.0.0.1:0"

[turn]
listen = "127.0.0.1:0"

[media]
bind = "127.0.0.1"
port = 0
`;

export class Server {
  readonly url: string;
  /** The one-time link that the first start printed. */
  readonly setupLink: string;
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #output: string[];

  private constructor(process: ChildProcess, folder: string, output: string[], setupLink: string) {
    this.#process = process;
    this.#folder = folder;
    this.#output = output;
    this.setupLink = setupLink;
    this.url = new URL(setupLink).origin;
  }

  /** With `first`, it shares the database of that server, which is set up, and its secret. */
  static async start(
    settings = '',
    environment: Record<string, string> = {},
    first?: Server,
  ): Promise<Server> {
    if (!existsSync(BINARY)) throw new Error(`There is no server at ${BINARY}: run \`cargo build\` first.`);
    const folder = await mkdtemp(join(tmpdir(), 'tallylight-e2e-'));
    const config = join(folder, 'tallylight.toml');
    await writeFile(config, CONFIG + settings);
    if (first) {
      await mkdir(join(folder, 'data'));
      await copyFile(join(first.#folder, 'data/pepper'), join(folder, 'data/pepper'));
    }
    const process = spawn(BINARY, ['serve', '--config', config, '--data', join(folder, 'data')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: folder,
      env: { ...env, ...environment },
    });
    const output: string[] = [];
    const link = await address(process, output, first ? PAGES : SETUP);
    return new Server(process, folder, output, link);
  }

  get output(): string {
    return this.#output.join('');
  }

  /** Where it takes publishers by RTMP. */
  async rtmp(): Promise<string> {
    for (;;) {
      const port = /\(RTMP\) +port (\d+)/.exec(this.output)?.[1];
      if (port) return `rtmp://127.0.0.1:${port}/live`;
      await once(this.#process.stdout ?? this.#process, 'data');
    }
  }

  /** Freezes or thaws the process, as a cut network does to everybody at once. */
  freeze(frozen: boolean): void {
    this.#process.kill(frozen ? 'SIGSTOP' : 'SIGCONT');
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      const exited = once(this.#process, 'exit');
      this.#process.kill('SIGCONT');
      this.#process.kill('SIGTERM');
      const timer = setTimeout(() => this.#process.kill('SIGKILL'), 15_000);
      await exited;
      clearTimeout(timer);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** The one-time link, and, when it is set up, where the pages are. */
const SETUP = /http:\/\/\S+\/setup#[\w-]+/;
const PAGES = /(?<=Pages and API +)http:\/\/\S+/;

function address(process: ChildProcess, output: string[], wanted: RegExp): Promise<string> {
  return new Promise((found, failed) => {
    const fail = (why: string) => failed(new Error(`${why}\n${output.join('')}`));
    const timer = setTimeout(() => fail('The server does not say where it is.'), START_LIMIT_MS);
    const read = (chunk: Buffer) => {
      output.push(chunk.toString());
      const link = wanted.exec(output.join(''))?.[0];
      if (!link) return;
      clearTimeout(timer);
      found(link);
    };
    process.stdout?.on('data', read);
    process.stderr?.on('data', read);
    process.once('error', (error) => fail(`The server did not start: ${error.message}`));
    process.once('exit', (code) => fail(`The server stopped at once with ${code}.`));
  });
}
