/** Publishers by RTMP: FFmpeg, as new as it gets; `scripts/setup.sh test` puts it where it is looked for. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { Site } from './harness';

const FFMPEG = resolve(import.meta.dirname, '../../.tools/ffmpeg/ffmpeg');

/** A moving picture and a tone. */
export const TEST_CARD = [
  ...['-re', '-f', 'lavfi', '-i', 'testsrc2=s=640x360:r=30'],
  ...['-f', 'lavfi', '-i', 'sine=f=440:r=44100'],
];
export const H264 = [
  ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '60', '-b:v', '800k'],
  ...['-c:a', 'aac', '-b:a', '96k'],
];

/** An encoder of AV1 tells a lot. */
const QUIET = { ...process.env, SVT_LOG: '1' };

/** Publishes until it is stopped. */
export class Ffmpeg {
  readonly process: ChildProcess;
  #words = '';

  private constructor(process: ChildProcess) {
    this.process = process;
    process.stderr?.on('data', (words) => {
      this.#words += words;
    });
  }

  static async publish(
    site: Site,
    handle: string,
    input: string[],
    coding: string[],
    by: 'rtmp' | 'whip' = 'rtmp',
  ): Promise<Ffmpeg> {
    const { key } = await site.api<{ key: string }>('POST', `/channels/${handle}/stream_keys`, {
      name: 'ffmpeg',
    });
    const target =
      by === 'rtmp'
        ? ['-f', 'flv', `${await site.server.rtmp()}/${key}`]
        : ['-f', 'whip', '-authorization', key, `${site.url}/whip`];
    return new Ffmpeg(spawn(FFMPEG, ['-v', 'error', ...input, ...coding, ...target], { env: QUIET }));
  }

  /** What it complained of. */
  get words(): string {
    return this.#words;
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null) return;
    const exited = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await exited;
  }
}
