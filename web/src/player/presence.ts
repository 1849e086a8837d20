/**
 * Tells the server that somebody watches: at each change, every half minute, and at the end. The server
 * counts a viewer once, however often its session or its way of watching changes; that nobody hears of
 * it does no harm.
 */
import { Delayed } from './delayed';
import { Instant } from './instant';
import type { Playing } from './playing';
import type { Transport } from './transport';

/** What plays, as the server counts it. */
export interface Watching {
  transport: Transport;
  /** The id of the session by WHEP, where there is one. */
  session: string | null;
}

/** A viewer who waits for the host watches, and one who paused does not. */
export function watching(playing: Playing): Watching | null {
  const carrier = playing.carrier();
  const { phase, paused } = playing.store.get();
  if (!carrier || paused) return null;
  // The server counts a session from its connection on, be there a picture or not.
  const connects = carrier instanceof Instant && carrier.connected;
  if (!connects && phase.name !== 'live' && phase.name !== 'host_reconnecting') return null;
  // What gets ready behind the picture is no other viewer.
  const both = [carrier, playing.backstage.carrier];
  const direct = both.find((each) => each instanceof Instant);
  const delayed = both.find((each) => each instanceof Delayed);
  return { transport: (delayed ?? carrier).transport, session: direct?.session ?? null };
}

export class Presence {
  readonly #url: string;
  readonly #viewer = viewerId();
  #told: Watching | null = null;
  #toldAt = Number.NEGATIVE_INFINITY;

  /** `server` is where it stands, for players on pages elsewhere. */
  constructor(handle: string, server = '') {
    this.#url = `${server}/api/channels/${encodeURIComponent(handle)}/presence`;
  }

  /** Called often: what plays now, or `null` while nothing does. */
  see(watching: Watching | null, now: number): void {
    if (!watching) return;
    const told = this.#told;
    const same = told?.transport === watching.transport && told.session === watching.session;
    if (same && now - this.#toldAt < EVERY_MS) return;
    this.#told = watching;
    this.#toldAt = now;
    this.#tell(watching, false);
  }

  /** The page closes, or the stream is over. */
  leave(): void {
    if (this.#told) this.#tell(this.#told, true);
    this.#told = null;
  }

  #tell(watching: Watching, leaving: boolean): void {
    // `keepalive`: the last one is sent by a page that is no more.
    void fetch(this.#url, {
      method: 'POST',
      keepalive: true,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ viewer: this.#viewer, ...watching, leaving }),
    }).catch(() => undefined);
  }
}

/** Random, and the same until the tab is closed: a reload is no other viewer. */
function viewerId(): string {
  try {
    const kept = sessionStorage.getItem(KEY);
    if (kept) return kept;
    const made = random();
    sessionStorage.setItem(KEY, made);
    return made;
  } catch {
    // Storage may be forbidden.
    return random();
  }
}

function random(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const KEY = 'tallylight-viewer';
/** The server lets a viewer go after 45 s. */
const EVERY_MS = 30_000;
