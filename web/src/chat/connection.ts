/**
 * Keeps a room within reach: joins over the best way there is, notices when it is dead, and comes back
 * with `after`, so that nothing is missed. Owns the wires and the timers; what frames mean is the
 * room's to know.
 *
 * Invariants: at most one wire is in use and one more gets ready; the one in use is let go only when the
 * other has said `hello`; a data channel that was lost is not tried again.
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

export class Connection {
  readonly #options: ConnectionOptions;
  #wire: Wire | null = null;
  /** What gets ready, and what ends its patience. */
  #next: { wire: Wire; limit: ReturnType<typeof setTimeout> } | null = null;
  #pair: ChannelPair | null = null;
  #isOn = false;
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #pulse: ReturnType<typeof setInterval> | undefined;
  #heardAt = 0;
  #farewell: { code: string; detail: string } | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#isOn) return;
    this.#isOn = true;
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
  offer(pair: ChannelPair | null): void {
    if (pair?.chat === this.#pair?.chat) return;
    this.#pair = pair;
    if (!this.#isOn) return;
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
    this.#open();
  }

  /** As somebody else, or under another name: what there is stays until the new one is in. */
  rejoin(): void {
    if (!this.#isOn) return;
    clearTimeout(this.#retry);
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
      lost: () => {
        this.#spend(pair);
        this.#lost(wire);
      },
    });
    this.#await(wire, DATA_LIMIT_MS, () => this.#spend(pair));
  }

  /** It will not come up any more: the next try is another way. */
  #spend(pair: ChannelPair): void {
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
    this.#await(wire, SOCKET_LIMIT_MS, () => undefined);
  }

  #await(wire: Wire, limitMs: number, tooLate: () => void): void {
    const limit = setTimeout(() => {
      tooLate();
      wire.close();
      this.#lost(wire);
    }, limitMs);
    this.#next = { wire, limit };
  }

  #dropNext(): void {
    if (!this.#next) return;
    clearTimeout(this.#next.limit);
    this.#next.wire.close();
    this.#next = null;
  }

  #heard(wire: Wire, frame: ServerFrame): void {
    if (frame.type === 'closed') this.#farewell = frame;
    if (wire === this.#next?.wire) {
      if (frame.type === 'hello') this.#takeOver(wire);
      // A token that came too late: by cookie it works.
      else if (frame.type === 'refused' && wire.kind === 'data') this.#giveUp(wire);
    }
    if (wire !== this.#wire) return;
    this.#heardAt = performance.now();
    this.#options.listener.frame(frame);
  }

  #giveUp(wire: Wire): void {
    this.#pair = null;
    wire.close();
    this.#lost(wire);
  }

  #takeOver(wire: Wire): void {
    clearTimeout(this.#next?.limit);
    this.#next = null;
    this.#wire?.close();
    this.#wire = wire;
    this.#attempt = 0;
    this.#farewell = null;
    this.#options.listener.joined(wire.kind);
  }

  #lost(wire: Wire): void {
    if (wire === this.#next?.wire) this.#dropNext();
    else if (wire === this.#wire) this.#wire = null;
    else return;
    if (!this.#isOn || this.#wire || this.#next) return;
    const said = this.#farewell;
    this.#farewell = null;
    if (said && FINAL.has(said.code)) {
      this.#options.listener.refused(said.code, said.detail);
      return;
    }
    // Another way is tried at once; the same one after a pause.
    const waitMs = wire.kind === 'data' ? 0 : backoffMs(this.#attempt);
    if (wire.kind === 'socket') this.#attempt += 1;
    this.#options.listener.lost(Date.now() + waitMs);
    this.#retry = setTimeout(() => this.#open(), waitMs);
  }

  /** A network that went away tells nobody: what answers no ping is dead. */
  #beat(): void {
    const wire = this.#wire;
    if (!wire) return;
    const silentMs = performance.now() - this.#heardAt;
    if (silentMs > DEAD_MS) {
      wire.close();
      this.#lost(wire);
    } else if (silentMs > QUIET_MS) wire.send({ type: 'ping' });
  }
}

/** Said by the server where coming back would end the same way. */
const FINAL = new Set(['channel_gone', 'too_many_connections', 'not_found', 'forbidden']);
const DATA_LIMIT_MS = 4000;
const SOCKET_LIMIT_MS = 12_000;
const BEAT_MS = 5000;
const QUIET_MS = 20_000;
const DEAD_MS = 40_000;
