/** A PostgreSQL and a Redis of our own, for servers that share them. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getuid } from 'node:process';

export interface Shared {
  /** Settings of every server that shares them, by the variables that set them. */
  environment: Record<string, string>;
  stop: () => Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

export async function startShared(): Promise<Shared> {
  const folder = mkdtempSync(join(tmpdir(), 'tallylight-shared-'));
  const bin = postgresBinaries();
  // PostgreSQL refuses to run as root.
  const asOther = getuid?.() === 0 ? ['--reuid=postgres', '--regid=postgres', '--clear-groups', '--'] : null;
  if (asOther) execFileSync('chown', ['postgres', folder]);
  const as = (program: string, args: string[]): [string, string[]] =>
    asOther ? ['setpriv', [...asOther, program, ...args]] : [program, args];
  const make = [
    '-D',
    join(folder, 'db'),
    '-U',
    'tally',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
  ];
  execFileSync(...as(join(bin, 'initdb'), make), { cwd: tmpdir(), stdio: 'ignore' });
  const serve = ['-D', join(folder, 'db'), '-k', folder, '-c', 'listen_addresses=', '-c', 'fsync=off'];
  const postgres = spawn(...as(join(bin, 'postgres'), serve), { cwd: tmpdir(), stdio: 'ignore' });
  await answers(() => execFileSync(join(bin, 'pg_isready'), ['-q', '-h', folder, '-U', 'tally']));
  const port = await freePort();
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const redis = spawn('redis-server', options, { cwd: tmpdir(), stdio: 'ignore' });
  await answers(() => execFileSync('redis-cli', ['-p', `${port}`, 'ping'], { stdio: 'ignore' }));
  return {
    environment: {
      TALLYLIGHT_DATABASE_URL: `postgres://tally@localhost/postgres?host=${folder}`,
      TALLYLIGHT_BUS_URL: `redis://127.0.0.1:${port}`,
    },
    stop: async () => {
      await Promise.all([ended(redis, 'SIGTERM'), ended(postgres, 'SIGQUIT')]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function postgresBinaries(): string {
  const root = '/usr/lib/postgresql';
  const newest = readdirSync(root).sort().at(-1);
  if (!newest) throw new Error('PostgreSQL is not installed: `make setup` installs it.');
  return join(root, newest, 'bin');
}

async function answers(ask: () => unknown): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      ask();
      return;
    } catch (error) {
      if (tries === 200) throw error;
      await new Promise((soon) => setTimeout(soon, 100));
    }
  }
}

async function ended(process: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = once(process, 'exit');
  process.kill(signal);
  await exited;
}
