/**
 * Passes: what media behind a gate is asked for with. One stands in the path of the media, is good for
 * some minutes, and is renewed for as long as somebody plays and may. It is as good as a key: it goes into
 * no log, no report and no address bar.
 */

/** Why the server lets nobody in, or no longer; `unknown` where it did not say. */
export type BarredWhy =
  | 'members_only'
  | 'followers_only'
  | 'ticket_required'
  | 'channel_password_required'
  | 'password_required'
  | 'banned'
  | 'preview_over'
  | 'access_ended'
  | 'unknown';

const WHYS: readonly unknown[] = [
  'members_only',
  'followers_only',
  'ticket_required',
  'channel_password_required',
  'password_required',
  'banned',
  'preview_over',
  'access_ended',
] satisfies BarredWhy[];

/** Reads the `code` of a refusal. */
export function barredWhy(code: unknown): BarredWhy {
  return WHYS.includes(code) ? (code as BarredWhy) : 'unknown';
}

/** What stands before the pass: `/hls/{handle}/{token}` or `/vod/{id}`, and then only a folder. */
const PASSED = /^((?:https?:\/\/[^/]+)?\/(?:hls\/[^/]+\/[^/.]+|vod\/[^/.]+))\.[\w-]+(?=\/)/;

export function hasPass(url: string): boolean {
  return PASSED.test(url);
}

/** The address with this pass in place of its own; one that has none is open, and stays as it is. */
export function withPass(url: string, pass: string): string {
  return url.replace(PASSED, (_, before: string) => `${before}.${pass}`);
}

/** What two addresses of the same media have in common. */
export function withoutPass(url: string): string {
  return url.replace(PASSED, '$1');
}

export type PassAnswer =
  /** `pass` is `null` where all is open. */
  | { name: 'granted'; pass: string | null; renewInMs: number | null; previewMs: number | null }
  | { name: 'barred'; why: BarredWhy }
  /** The server could not be asked, or had something else to say. */
  | { name: 'unknown' };

export async function askForPass(endpoint: string): Promise<PassAnswer> {
  const response = await fetch(endpoint, { method: 'POST', cache: 'no-store' }).catch(() => null);
  const body = (await response?.json().catch(() => null)) as Record<string, unknown> | null;
  if (response?.status === 403) return { name: 'barred', why: barredWhy(body?.code) };
  if (!response?.ok || !body) return { name: 'unknown' };
  return {
    name: 'granted',
    pass: typeof body.pass === 'string' ? body.pass : null,
    renewInMs: milliseconds(body.renew_in_seconds),
    previewMs: milliseconds(body.preview_seconds),
  };
}

function milliseconds(seconds: unknown): number | null {
  return typeof seconds === 'number' ? seconds * 1000 : null;
}

/** The passes of one playback: renewed from the first request on that needs one, until it is closed. */
export class Passes {
  /** Where they are given out; `null` while that is not known. */
  readonly #endpoint: () => string | null;
  readonly #tell: (answer: PassAnswer) => void;
  #newest: string | null = null;
  #begun = false;
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `tell` hears every answer, but none after the close. */
  constructor(endpoint: () => string | null, tell: (answer: PassAnswer) => void) {
    this.#endpoint = endpoint;
    this.#tell = tell;
  }

  /** The address to ask for instead of this one. */
  address(url: string): string {
    if (!hasPass(url)) return url;
    if (!this.#begun) {
      this.#begun = true;
      // The playlist's own pass does until this one has come, which says when to renew.
      void this.renew();
    }
    return this.#newest === null ? url : withPass(url, this.#newest);
  }

  /** Asks for a new one now. */
  async renew(): Promise<PassAnswer> {
    clearTimeout(this.#timer);
    const endpoint = this.#endpoint();
    const answer: PassAnswer = endpoint === null ? { name: 'unknown' } : await askForPass(endpoint);
    if (this.#closed) return answer;
    clearTimeout(this.#timer);
    if (answer.name === 'granted') this.#newest = answer.pass;
    const next = nextIn(answer);
    if (next !== null) this.#timer = setTimeout(() => void this.renew(), next);
    this.#tell(answer);
    return answer;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}

/** Milliseconds until the next question; `null` where there is nothing more to ask. */
function nextIn(answer: PassAnswer): number | null {
  if (answer.name === 'barred') return null;
  if (answer.name === 'unknown') return AGAIN_MS;
  return answer.renewInMs === null ? null : Math.max(LEAST_MS, answer.renewInMs);
}

const AGAIN_MS = 5000;
/** Whatever the server says, it is not asked in a loop. */
const LEAST_MS = 1000;
