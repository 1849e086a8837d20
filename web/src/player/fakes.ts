/** Browser, server and hls.js as far as a player touches them, for tests whose clock is their own. */
import { vi } from 'vitest';

export const VARIANT = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1280x720\nh.m3u8\n';

export class World {
  whep: () => Response = () => this.created();
  channel: Record<string, unknown> | null = { handle: 'ada', name: 'Ada', state: 'live', started_at: 'T1' };
  layer: () => Response = () => new Response('');
  /** What is said to whoever asks for a pass. */
  pass: () => Response = () => Response.json({ pass: null, renew_in_seconds: null, preview_seconds: null });
  readonly peers: FakePeer[] = [];
  readonly requests: string[] = [];
  /** What was reported to the server. */
  readonly changes: unknown[] = [];
  /** What was told of the viewer. */
  readonly beats: { transport: string; session: string | null; leaving: boolean }[] = [];
  multivariant = VARIANT;
  /** Every media playlist. */
  media = '';
  events: FakeEvents | null = null;
  readonly libraries: FakeHls[] = [];
  /** Whether segments arrive, so that what is attached to hls.js plays. */
  segments = true;

  created(): Response {
    return new Response('v=0', {
      status: 201,
      headers: {
        Location: '/whep/sessions/1',
        Link: '</whep/sessions/1/events>; rel="urn:ietf:params:whep:ext:core:server-sent-events", </whep/sessions/1/layer>; rel="urn:ietf:params:whep:ext:core:layer"',
      },
    });
  }

  readonly fetch = async (input: string | URL, init: RequestInit = {}) => {
    const path = new URL(input, 'http://host').pathname;
    this.requests.push(`${init.method ?? 'GET'} ${path}`);
    if (path.endsWith('/playback-changes')) this.changes.push(JSON.parse(String(init.body)));
    if (path.endsWith('/presence')) this.beats.push(JSON.parse(String(init.body)));
    let response: Response;
    if (path.startsWith('/api/channels/')) {
      response = this.channel ? Response.json(this.channel) : new Response('{}', { status: 404 });
    } else if (path.endsWith('/pass')) response = this.pass();
    else if (path === '/whep/ada') response = this.whep();
    else if (path.endsWith('/layer')) response = this.layer();
    else if (path.endsWith('/level.m3u8')) response = new Response(this.media);
    else if (path.endsWith('.m3u8')) response = new Response(this.multivariant);
    else response = new Response('', { status: 200 });
    Object.defineProperty(response, 'url', { value: `http://host${path}` });
    return response;
  };

  posts(): number {
    return this.requests.filter((request) => request === 'POST /whep/ada').length;
  }
}

export class FakePeer {
  connectionState = 'new';
  signalingState = 'stable';
  remoteDescription = { sdp: 'm=video\r\na=ice-ufrag:a\r\na=ice-pwd:b\r\n' };
  onconnectionstatechange: (() => void) | null = null;
  frames = 0;

  loss = 0;

  /** What was asked for, media and data, in order. */
  readonly sections: string[] = [];
  readonly channels: EventTarget[] = [];

  addTransceiver = (kind: string) => {
    this.sections.push(kind);
    return {};
  };
  createDataChannel = (label: string, options: RTCDataChannelInit = {}) => {
    this.sections.push(label);
    const channel = Object.assign(new EventTarget(), { label, ...options });
    this.channels.push(channel);
    return channel;
  };
  getTransceivers = () => [];
  getReceivers = () => [];
  getConfiguration = () => ({});
  createOffer = async () => ({ type: 'offer', sdp: 'v=0' });
  setLocalDescription = async () => undefined;
  setRemoteDescription = async () => undefined;
  getStats = async () =>
    new Map([
      [
        'v',
        {
          id: 'v',
          type: 'inbound-rtp',
          kind: 'video',
          framesDecoded: this.frames,
          packetsReceived: this.frames * 100,
          packetsLost: this.loss,
        },
      ],
    ]);

  close(): void {
    this.connectionState = 'closed';
    this.signalingState = 'closed';
  }

  become(state: string): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
}

class FakeEvents extends EventTarget {
  close(): void {}
  say(name: string, data: unknown = {}): void {
    this.dispatchEvent(Object.assign(new Event(name), { data: JSON.stringify(data) }));
  }
}

/** Plays as long as it is not paused and segments arrive. */
export class FakeVideo extends EventTarget {
  muted = false;
  volume = 1;
  paused = true;
  seeking = false;
  readyState = 4;
  videoWidth = 1280;
  videoHeight = 720;
  srcObject: unknown = null;
  isConnected = false;
  buffered: { length: number; start?: () => number; end?: () => number } = { length: 0 };
  #from = 0;
  #since = 0;

  constructor(readonly world: World) {
    super();
  }

  get currentTime(): number {
    const now = performance.now();
    if (!this.paused && this.world.segments && this.srcObject === null)
      this.#from += (now - this.#since) / 1000;
    this.#since = now;
    return this.#from;
  }

  set currentTime(seconds: number) {
    this.#from = seconds;
    this.#since = performance.now();
  }

  async play(): Promise<void> {
    this.#from = this.currentTime;
    this.paused = false;
    this.dispatchEvent(new Event('play'));
  }

  pause(): void {
    this.#from = this.currentTime;
    this.paused = true;
    this.dispatchEvent(new Event('pause'));
  }

  setAttribute(): void {}
  removeAttribute(): void {}
  remove(): void {
    this.isConnected = false;
  }
}

const SEGMENT_S = 2;

/** A window of ten minutes whose end is now. */
export class FakeHls {
  static world: World;
  static isSupported = () => true;
  static Events = {
    MANIFEST_PARSED: 'parsed',
    LEVEL_UPDATED: 'level',
    AUDIO_TRACK_UPDATED: 'sound',
    FRAG_LOADED: 'fragment',
    BUFFER_APPENDED: 'appended',
    ERROR: 'error',
  };

  levels = [
    {
      height: 720,
      width: 1280,
      bitrate: 2_000_000,
      uri: 'http://host/level.m3u8',
      attrs: {},
      pathwayId: '.',
    },
    { height: 360, width: 640, bitrate: 600_000, uri: 'http://host/level.m3u8', attrs: {}, pathwayId: '.' },
  ];
  pathways = ['.'];
  pathwayPriority: string[] | null = null;
  currentLevel = 0;
  bandwidthEstimate = 5e6;
  autoLevelEnabled = true;
  manualLevel = -1;
  lowLatencyMode: boolean;
  config: Record<string, unknown>;
  targetLatency = 1;
  source = '';
  startedAt: number | null = null;
  startPosition = -1;
  destroyed = false;
  media: FakeVideo | null = null;
  readonly #began = Date.now() - 600_000;
  readonly #heard: [string, (event: string, data: unknown) => void][] = [];

  constructor(config: Record<string, unknown>) {
    this.config = config;
    this.lowLatencyMode = config.lowLatencyMode === true;
    if (!this.lowLatencyMode) this.targetLatency = 6;
    FakeHls.world.libraries.push(this);
  }

  on(event: string, hear: (event: string, data: unknown) => void): void {
    this.#heard.push([event, hear]);
  }
  once = this.on;

  emit(event: string, data: unknown): void {
    for (const [name, hear] of this.#heard) if (name === event) hear(event, data);
  }

  loadSource(url: string): void {
    this.source = url;
    FakeHls.world.media = this.#playlist();
    queueMicrotask(() => {
      this.emit('parsed', {});
      if (this.config.autoStartLoad) this.startLoad(this.liveSyncPosition);
    });
  }

  /** Opens a request as the library does, and gives its address. */
  request(url: string): string {
    let opened = url;
    const setup = this.config.xhrSetup as (request: object, url: string) => void;
    setup({ open: (_method: string, address: string) => (opened = address) }, url);
    return opened;
  }

  startLoad(seconds: number = this.liveSyncPosition): void {
    this.startedAt = seconds;
    if (this.media) this.media.currentTime = seconds;
  }

  attachMedia(video: FakeVideo): void {
    this.media = video;
    if (this.startedAt !== null) video.currentTime = this.startedAt;
  }

  detachMedia(): void {
    this.media = null;
  }

  get edge(): number {
    return (Date.now() - this.#began) / 1000;
  }

  get liveSyncPosition(): number {
    return this.edge - this.targetLatency;
  }

  get latency(): number {
    return this.edge - (this.media?.currentTime ?? this.edge);
  }

  set nextLevel(level: number) {
    this.autoLevelEnabled = level === -1;
    this.manualLevel = level;
  }

  get latestLevelDetails() {
    const fragments = Array.from({ length: Math.ceil(this.edge / SEGMENT_S) }, (_, at) => ({
      start: at * SEGMENT_S,
      duration: SEGMENT_S,
      programDateTime: this.#began + at * SEGMENT_S * 1000,
    }));
    return { live: true, fragments, fragmentStart: 0, edge: this.edge, partHoldBack: 1 };
  }

  #playlist(): string {
    return this.latestLevelDetails.fragments
      .map(
        ({ duration, programDateTime }) =>
          `#EXT-X-PROGRAM-DATE-TIME:${new Date(programDateTime).toISOString()}\n#EXTINF:${duration},\n`,
      )
      .join('');
  }

  recoverMediaError(): void {}

  stopLoad(): void {
    this.startedAt = null;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

/** Puts a new world in place of the browser's. */
export function stubWorld(): World {
  vi.useFakeTimers();
  const world = new World();
  FakeHls.world = world;
  vi.stubGlobal('fetch', world.fetch);
  vi.stubGlobal('location', new URL('http://host/@ada'));
  vi.stubGlobal(
    'MediaStream',
    class {
      addTrack(): void {}
      getTracks() {
        return [{}];
      }
    },
  );
  vi.stubGlobal('addEventListener', () => undefined);
  vi.stubGlobal('removeEventListener', () => undefined);
  vi.stubGlobal('document', { createElement: () => new FakeVideo(world), hidden: false });
  vi.stubGlobal(
    'RTCPeerConnection',
    class extends FakePeer {
      constructor() {
        super();
        world.peers.push(this);
      }
    },
  );
  vi.stubGlobal(
    'EventSource',
    class extends FakeEvents {
      constructor() {
        super();
        world.events = this;
      }
    },
  );
  return world;
}

/** Where a player puts its video elements. */
export const HOST = {
  append: (video: FakeVideo) => {
    video.isConnected = true;
  },
} as unknown as HTMLElement;
