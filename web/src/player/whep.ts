/**
 * One WHEP session: the peer connection, its tracks, its server-sent events and the layer choice.
 * Decides nothing: the player hears what happens and says what to do.
 */
import { negotiateCaptureTime } from '../session/capture_time';
import { extension } from '../session/link';
import { end, offer, onClosedByServer, restartIce, type Session } from '../session/signalling';
import { type LayerSet, parseLayers } from './layers';
import { type BarredWhy, barredWhy } from './pass';

const SSE = 'urn:ietf:params:whep:ext:core:server-sent-events';
const LAYER = 'urn:ietf:params:whep:ext:core:layer';

export interface WhepListener {
  connection(state: RTCPeerConnectionState): void;
  /** The stream has one more track. */
  track(): void;
  layers(set: LayerSet): void;
  viewers(count: number): void;
  /** The publisher's media flows (again), or stopped. */
  publisher(active: boolean): void;
  /** Something else is said of the stream. */
  updated(): void;
  ended(): void;
  /** Whoever watches may not any more. */
  barred(why: BarredWhy): void;
  /** The server asks for a new session. */
  moved(): void;
}

/** What goes along with the picture and is not the player's: whoever is given it reads and writes it. */
export interface DataPair {
  chat: RTCDataChannel;
  /** Unordered, and never sent again: for what is soon forgotten. */
  reactions: RTCDataChannel;
}

export class WhepSession {
  readonly pc: RTCPeerConnection;
  /** `null` where nobody wanted it. */
  readonly data: DataPair | null;
  readonly stream = new MediaStream();
  readonly #endpoint: string;
  readonly #listener: WhepListener;
  #session: Session | null = null;
  #events: EventSource | null = null;
  #closed = false;

  constructor(
    endpoint: string,
    listener: WhepListener,
    { soundOnly = false, withData = false }: { soundOnly?: boolean; withData?: boolean } = {},
  ) {
    this.#endpoint = endpoint;
    this.#listener = listener;
    this.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.pc.ontrack = ({ track, receiver }) => {
      playAtOnce(receiver);
      this.stream.addTrack(track);
      this.#listener.track();
    };
    this.pc.onconnectionstatechange = () => {
      if (!this.#closed) this.#listener.connection(this.pc.connectionState);
    };
    if (!soundOnly) negotiateCaptureTime(this.pc.addTransceiver('video', { direction: 'recvonly' }));
    this.pc.addTransceiver('audio', { direction: 'recvonly' });
    // The section of the offer for them comes behind those of the media, whenever they are made.
    this.data = withData ? openData(this.pc) : null;
    this.data?.chat.addEventListener('message', ({ data }) => {
      if (data === RECONNECT && !this.#closed) this.#listener.moved();
    });
  }

  /** Resolves when the answer is applied; media may still be on its way. */
  async open(signal: AbortSignal): Promise<void> {
    const session = await offer(this.pc, this.#endpoint, { signal });
    this.#session = session;
    onClosedByServer(this.pc, () => {
      if (!this.#closed) this.#listener.connection('failed');
    });
    this.#listen(extension(session.links, SSE));
  }

  /** The last part of the session's URL; `null` until there is one. */
  get id(): string | null {
    return (this.#session && new URL(this.#session.url).pathname.split('/').pop()) || null;
  }

  async restart(signal: AbortSignal): Promise<void> {
    if (!this.#session) throw new Error('There is no session to restart.');
    await restartIce(this.pc, this.#session, signal);
  }

  /** Pins a layer, or returns to the server's choice with `null`. */
  async choose(mediaId: string, rid: string | null): Promise<boolean> {
    const url = this.#session && extension(this.#session.links, LAYER);
    if (!url) return false;
    const response = await fetch(new URL(url, this.#session?.url), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(rid === null ? { mediaId } : { mediaId, rid, encodingId: rid }),
    }).catch(() => null);
    return response?.ok ?? false;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.close();
    this.pc.close();
    if (this.#session) void end(this.#session);
  }

  #listen(url: string | null): void {
    if (!url || this.#closed) return;
    const events = new EventSource(new URL(url, this.#session?.url));
    this.#events = events;
    const on = (name: string, handle: (data: string) => void) =>
      events.addEventListener(name, (event) => handle((event as MessageEvent<string>).data));
    on('active', () => this.#listener.publisher(true));
    on('inactive', () => this.#listener.publisher(false));
    on('layers', (data) => {
      const set = parseLayers(data);
      if (set) this.#listener.layers(set);
    });
    on('viewercount', (data) => {
      const count = viewerCount(data);
      if (count !== null) this.#listener.viewers(count);
    });
    on('reconnect', () => this.#listener.moved());
    on('updated', () => this.#listener.updated());
    on('ended', () => this.#listener.ended());
    on('barred', (data) => this.#listener.barred(barredWhy(parsed(data)?.code)));
  }
}

/** The frame by which a server that stops says so, whole. */
const RECONNECT = '{"type":"reconnect"}';

function openData(pc: RTCPeerConnection): DataPair {
  return {
    chat: pc.createDataChannel('chat'),
    reactions: pc.createDataChannel('reactions', { ordered: false, maxRetransmits: 0 }),
  };
}

/** Live means now: no buffer beyond what the network's jitter forces. */
function playAtOnce(receiver: RTCRtpReceiver): void {
  const tunable = receiver as RTCRtpReceiver & { playoutDelayHint?: number };
  if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
  if ('playoutDelayHint' in tunable) tunable.playoutDelayHint = 0;
}

function viewerCount(data: string): number | null {
  const count = parsed(data)?.viewercount;
  return typeof count === 'number' ? count : null;
}

function parsed(data: string): Record<string, unknown> | null {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}
