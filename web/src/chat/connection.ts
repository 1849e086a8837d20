/**
 * Keeps a room within reach: joins over the best way there is, notices when it is dead, and comes back
 * with `after`, so that nothing is missed. Owns the wires and the timers; what frames mean is the
 * room's to know.
 *
 * Invariants: at most one wire is in use and one more gets ready; the one in use is let go only when the
 * other has said `hello`; a data channel that was lost, or that the server closed, is not tried again;
 * where the server says that it is of no use, nothing is tried until somebody asks for it.
 */
import { backoffMs } from './backoff';
import { type ChannelPair, openChannel } from './channel';
import type { ClientFrame, ServerFrame } from './protocol';
import { openSocket } from './socket';
import type { Wire } from './wire';

export interface ConnectionOptions {
  socketUrl: string;
  /** Who is signed in says so by one on a data channel; `null` is nobody. */
  token: () => Promise<string | null>;
  /** Who joins, and what it has already. */
  join: () => { guest?: string; name?: string; after?: number };
  listener: ConnectionListener;
}

export interface ConnectionListener {
  /** Joined over another wire: `hello` follows. */
  joined(kind: Wire['kind']): void;
  frame(frame: ServerFrame): void;
  /** Nothing is in reach; `retryAt` is on the Date.now() clock. */
  lost(retryAt: number): void;
  /** The server will not have it; there is no use in trying again. */
  refused(code: string, detail: string): void;
}

interface Farewell {
  code: string;
  detail: string;
}

export class Connection {
  readonly #options: ConnectionOptions;
  #wire: Wire | null = null;
  /** What gets ready, and what ends its patience. */
  #next: { wire: Wire; limit: ReturnType<typeof setTimeout>; isAgain: boolean } | null = null;
  #pair: ChannelPair | null = null;
  readonly #pairs = new WeakMap<Wire, ChannelPair>();
  readonly #spent = new WeakSet<RTCDataChannel>();
  #isOn = false;
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #pulse: ReturnType<typeof setInterval> | undefined;
  #heardAt = 0;
  /** The server will not have it. */
  #isRefused = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#isRefused = false;
    this.#pulse = setInterval(() => this.#beat(), BEAT_MS);
    this.#open();
  }

  stop(): void {
    this.#isOn = false;
    clearTimeout(this.#retry);
    clearInterval(this.#pulse);
    this.#dropNext();
    this.#wire?.close();
    this.#wire = null;
  }

  /** The channels of the session that plays now, `null` while none does. */
  offer(offered: ChannelPair | null): void {
    const pair = offered && this.#spent.has(offered.chat) ? null : offered;
    if (pair?.chat === this.#pair?.chat) return;
    this.#pair = pair;
    if (!this.#isOn || this.#isRefused) return;
    if (pair) {
      clearTimeout(this.#retry);
      this.#openData(pair);
    } else if (this.#next?.wire.kind === 'data') {
      this.#dropNext();
      if (!this.#wire) this.#openSocket();
    }
  }

  send(frame: ClientFrame): boolean {
    return this.#wire?.send(frame) ?? false;
  }

  /** "Try now". */
  retryNow(): void {
    if (!this.#isOn || this.#wire || this.#next) return;
    clearTimeout(this.#retry);
    this.#isRefused = false;
    this.#open();
  }

  /** As somebody else, or under another name: what there is stays until the new one is in. */
  rejoin(): void {
    if (!this.#isOn) return;
    clearTimeout(this.#retry);
    this.#isRefused = false;
    this.#openSocket();
  }

  #open(): void {
    if (this.#pair) this.#openData(this.#pair);
    else this.#openSocket();
  }

  #openData(pair: ChannelPair): void {
    this.#dropNext();
    const wire: Wire = openChannel(pair, {
      opened: () => void this.#joinData(wire),
      frame: (frame) => this.#heard(wire, frame),
      lost: () => this.#end(wire, null),
    });
    this.#pairs.set(wire, pair);
    this.#await(wire, DATA_LIMIT_MS);
  }

  /** It will not come up any more, however often it is offered: the next try is another way. */
  #spend(wire: Wire): void {
    const pair = this.#pairs.get(wire);
    if (!pair) return;
    this.#spent.add(pair.chat);
    if (this.#pair === pair) this.#pair = null;
  }

  async #joinData(wire: Wire): Promise<void> {
    const token = await this.#options.token().catch(() => null);
    wire.send({ type: 'join', v: 1, ...(token === null ? {} : { token }), ...this.#options.join() });
  }

  #openSocket(): void {
    this.#dropNext();
    const wire: Wire = openSocket(this.#options.socketUrl, {
      opened: () => wire.send({ type: 'join', v: 1, ...this.#options.join() }),
      frame: (frame) => this.#heard(wire, frame),
      lost: () => this.#lost(wire),
    });
    this.#await(wire, SOCKET_LIMIT_MS);
  }

  #await(wire: Wire, limitMs: number, isAgain = false): void {
    const limit = setTimeout(() => this.#end(wire, null), limitMs);
    this.#next = { wire, limit, isAgain };
  }

  #dropNext(): void {
    if (!this.#next) return;
    clearTimeout(this.#next.limit);
    this.#next.wire.close();
    this.#next = null;
  }

  #heard(wire: Wire, frame: ServerFrame): void {
    if (frame.type === 'closed') {
      this.#end(wire, frame);
      return;
    }
    if (wire === this.#next?.wire) {
      if (frame.type === 'hello') this.#takeOver(wire);
      else if (frame.type === 'refused' && wire.kind === 'data') this.#refusedData(wire, frame);
    }
    if (wire !== this.#wire) return;
    this.#heardAt = performance.now();
    this.#options.listener.frame(frame);
  }

  /** A carrier that the server has closed is over, whether or not it goes away by itself. */
  #end(wire: Wire, farewell: Farewell | null): void {
    this.#spend(wire);
    wire.close();
    this.#lost(wire, farewell);
  }

  /** Another token, once; then the socket, where the cookie tells who it is. */
  #refusedData(wire: Wire, refusal: Farewell): void {
    if (STALE_TOKEN.has(refusal.code) && this.#next && !this.#next.isAgain) {
      clearTimeout(this.#next.limit);
      this.#await(wire, AGAIN_LIMIT_MS, true);
      void this.#joinData(wire);
    } else this.#end(wire, refusal);
  }

  #takeOver(wire: Wire): void {
    clearTimeout(this.#next?.limit);
    this.#next = null;
    this.#wire?.close();
    this.#wire = wire;
    this.#attempt = 0;
    this.#options.listener.joined(wire.kind);
  }

  #lost(wire: Wire, farewell: Farewell | null = null): void {
    if (wire === this.#next?.wire) this.#dropNext();
    else if (wire === this.#wire) this.#wire = null;
    else return;
    if (!this.#isOn || this.#wire || this.#next) return;
    if (farewell && FINAL.has(farewell.code)) {
      this.#isRefused = true;
      this.#options.listener.refused(farewell.code, farewell.detail);
      return;
    }
    const waitMs = this.#pauseMs(wire, farewell?.code ?? null);
    if (wire.kind === 'socket' || waitMs > 0) this.#attempt += 1;
    this.#options.listener.lost(Date.now() + waitMs);
    this.#retry = setTimeout(() => this.#open(), waitMs);
  }

  /** Another way is tried at once, the same one after a pause; but what the server says goes before. */
  #pauseMs(wire: Wire, code: string | null): number {
    const isWanted = code !== null && (code === 'door_changed' || STALE_TOKEN.has(code));
    if (isWanted && this.#attempt === 0) return 0;
    const isAtOnce = wire.kind === 'data' && (code === null || !PAUSED.has(code));
    return isAtOnce ? 0 : backoffMs(this.#attempt);
  }

  /** A network that went away tells nobody: what answers no ping is dead. */
  #beat(): void {
    const wire = this.#wire;
    if (!wire) return;
    const silentMs = performance.now() - this.#heardAt;
    if (silentMs > DEAD_MS) this.#end(wire, null);
    else if (silentMs > QUIET_MS) wire.send({ type: 'ping' });
  }
}

/** Said by the server where coming back would end the same way. */
const FINAL = new Set([
  'channel_gone',
  'too_many_connections',
  'malformed',
  'too_large',
  'version_unknown',
  'not_found',
  'forbidden',
]);
/** Said where coming back at once would make it worse. */
const PAUSED = new Set(['restarting', 'slow_reader', 'busy']);
const STALE_TOKEN = new Set(['token_invalid', 'token_used']);
const DATA_LIMIT_MS = 4000;
/** The channel is up already: all that is waited for is an answer. */
const AGAIN_LIMIT_MS = 1500;
const SOCKET_LIMIT_MS = 12_000;
const BEAT_MS = 5000;
const QUIET_MS = 20_000;
const DEAD_MS = 40_000;
