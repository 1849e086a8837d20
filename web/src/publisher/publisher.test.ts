import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { qualityById } from './encodings';
import { type AirOptions, Publisher } from './publisher';
import type { Sources } from './sources';

const OPTIONS: AirOptions = {
  handle: 'ada',
  quality: qualityById('720p30'),
  bitrate: 2_500_000,
  codec: null,
  simulcast: true,
  mostLayers: null,
  resumes: false,
  windowMs: 30_000,
};
const FRAGMENT = 'a=ice-ufrag:x\r\na=ice-pwd:y\r\n';

class FakePeer extends EventTarget {
  connectionState = 'new';
  signalingState = 'stable';
  remoteDescription = { sdp: 'm=video\r\na=ice-ufrag:a\r\na=ice-pwd:b\r\n' };
  onconnectionstatechange: (() => void) | null = null;

  addTransceiver = () => ({
    sender: {
      replaceTrack: async () => undefined,
      getParameters: () => ({}),
      setParameters: async () => undefined,
    },
  });
  readonly transport = Object.assign(new EventTarget(), { state: 'connected' });
  getTransceivers = () => [{ sender: { transport: this.transport } }];
  getConfiguration = () => ({});
  createOffer = async () => ({
    type: 'offer',
    sdp: 'a=ice-ufrag:n\r\na=ice-pwd:m\r\nm=video\r\na=mid:0\r\n',
  });
  setLocalDescription = async () => undefined;
  setRemoteDescription = async () => undefined;
  getStats = async () => new Map();

  close(): void {
    this.connectionState = 'closed';
    this.signalingState = 'closed';
  }

  /** The server closes DTLS. */
  hangUp(): void {
    this.transport.state = 'closed';
    this.transport.dispatchEvent(new Event('statechange'));
  }

  become(state: string): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
    this.dispatchEvent(new Event('connectionstatechange'));
  }
}

let peers: FakePeer[];
let requests: string[];
let answers: {
  post: () => Response;
  patch: () => Response;
  channel: string;
  /** Who the server says publishes, told to the owner alone. */
  publisher: { session: string; connected: boolean } | null;
};
let connection: EventTarget & { type?: string };
let publisher: Publisher;

beforeEach(() => {
  vi.useFakeTimers();
  peers = [];
  requests = [];
  answers = {
    post: () => new Response('v=0', { status: 201, headers: { Location: '/whip/sessions/1' } }),
    patch: () => new Response(FRAGMENT, { status: 200 }),
    channel: 'live',
    publisher: null,
  };
  connection = Object.assign(new EventTarget(), { type: 'wifi' });
  vi.stubGlobal('fetch', async (input: string | URL, init: RequestInit = {}) => {
    const path = new URL(input, 'http://host').pathname;
    const method = init.method ?? 'GET';
    requests.push(`${method} ${path}`);
    let response: Response;
    if (path.endsWith('/ingest')) response = Response.json({ stats: { publisher: answers.publisher } });
    else if (path.startsWith('/api/'))
      response = Response.json({ state: answers.channel, reconnect_window_seconds: 30 });
    else if (method === 'POST') response = await answers.post();
    else if (method === 'PATCH') response = answers.patch();
    else response = new Response('', { status: 200 });
    Object.defineProperty(response, 'url', { value: `http://host${path}` });
    return response;
  });
  vi.stubGlobal('navigator', { connection });
  vi.stubGlobal('addEventListener', () => undefined);
  vi.stubGlobal('removeEventListener', () => undefined);
  vi.stubGlobal('MediaStream', class {});
  vi.stubGlobal('RTCRtpSender', { getCapabilities: () => null });
  vi.stubGlobal(
    'RTCPeerConnection',
    class extends FakePeer {
      constructor() {
        super();
        peers.push(this);
      }
    },
  );
  const track = { getSettings: () => ({ width: 1280, height: 720 }) };
  const sources = { onOutput: null, output: { video: track, audio: null, hint: 'motion' } };
  publisher = new Publisher(sources as unknown as Sources);
});

afterEach(() => {
  publisher.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const phase = () => publisher.store.get().phase;
const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);
const count = (request: string) => requests.filter((made) => made === request).length;
const newest = () => peers.at(-1) as FakePeer;

async function onAir(): Promise<FakePeer> {
  void publisher.start(OPTIONS);
  await pass(0.1);
  newest().become('connected');
  await pass(0.1);
  expect(phase().name).toBe('live');
  return newest();
}

test('it is on air once media can flow, not before', async () => {
  void publisher.start(OPTIONS);
  await pass(0.1);
  expect(phase()).toEqual({ name: 'starting', waiting: null });
  newest().become('connected');
  await pass(0.1);
  expect(phase().name).toBe('live');
});

test('a channel that another session holds is waited for, as the server says', async () => {
  const free = answers.post;
  answers.post = () =>
    new Response('{"code":"already_live","detail":"live from another place"}', {
      status: 409,
      headers: { 'Retry-After': '2' },
    });
  void publisher.start(OPTIONS);
  await pass(0.1);
  expect(phase()).toEqual({ name: 'starting', waiting: 'Live from another place.' });
  answers.post = free;
  await pass(2);
  newest().become('connected');
  await pass(0.1);
  expect(phase().name).toBe('live');
  expect(count('POST /whip/ada')).toBe(2);
});

test('a refusal that will not change is told', async () => {
  answers.post = () =>
    new Response('{"code":"forbidden","detail":"this channel belongs to somebody else"}', { status: 403 });
  await publisher.start(OPTIONS);
  expect(phase()).toEqual({
    name: 'failed',
    reason: 'This channel belongs to somebody else.',
    code: 'forbidden',
  });
});

test('what never came up is taken back, and nothing begins by itself', async () => {
  void publisher.start(OPTIONS);
  await pass(0.1);
  expect(phase().name).toBe('starting');
  publisher.leave();
  await pass(5);
  expect(phase()).toEqual({ name: 'idle' });
  expect(count('DELETE /whip/sessions/1')).toBe(1);
  expect(count('POST /whip/ada')).toBe(1);
});

test('giving up on a stream that is open already leaves it to its reconnect window', async () => {
  void publisher.start({ ...OPTIONS, resumes: true });
  await pass(0.1);
  publisher.leave();
  await pass(1);
  expect(count('DELETE /whip/sessions/1')).toBe(0);

  let answer = (_response: Response) => {};
  answers.post = () => new Promise((resolve) => (answer = resolve)) as unknown as Response;
  void publisher.start({ ...OPTIONS, resumes: true });
  await pass(0.1);
  publisher.leave();
  answer(new Response('v=0', { status: 201, headers: { Location: '/whip/sessions/2' } }));
  await pass(1);
  expect(count('DELETE /whip/sessions/2'), 'an answer that comes late').toBe(0);
});

test('a changed network is met with an ICE restart of the same session', async () => {
  const peer = await onAir();
  peer.become('disconnected');
  await pass(0.1);
  expect(phase().name).toBe('reconnecting');
  peer.become('connected');
  await pass(0.1);
  expect(phase().name).toBe('live');
  expect(count('PATCH /whip/sessions/1')).toBe(1);
  expect(peers).toHaveLength(1);
});

test('a session that is gone is followed by a new one for the same stream', async () => {
  const peer = await onAir();
  answers.patch = () => new Response('{}', { status: 404 });
  answers.channel = 'reconnecting';
  peer.become('failed');
  await pass(0.1);
  expect(peers).toHaveLength(2);
  newest().become('connected');
  await pass(0.1);
  expect(phase().name).toBe('live');
  expect(count('DELETE /whip/sessions/1'), 'a DELETE would end the stream').toBe(0);
});

test('a stream that was ended elsewhere does not begin again', async () => {
  const peer = await onAir();
  answers.channel = 'offline';
  peer.hangUp();
  await pass(0.1);
  expect(phase()).toEqual({ name: 'ended', why: 'elsewhere' });
  expect(peers).toHaveLength(1);
});

test('after the reconnect window it says that the stream is over', async () => {
  const peer = await onAir();
  answers.patch = answers.post = () => {
    throw new TypeError('Failed to fetch');
  };
  peer.become('disconnected');
  await pass(20);
  expect(phase().name).toBe('reconnecting');
  await pass(15);
  expect(phase()).toEqual({ name: 'ended', why: 'too_long' });
});

test('the end is told to the server, and a closed page is not an end', async () => {
  await onAir();
  publisher.close();
  await pass(0.1);
  expect(count('DELETE /whip/sessions/1')).toBe(0);

  await onAir();
  publisher.end();
  await pass(0.1);
  expect(count('DELETE /whip/sessions/1')).toBe(1);
  expect(phase()).toEqual({ name: 'ended', why: 'you' });
});

test('another publisher ends it here, and the channel is not fought for', async () => {
  const peer = await onAir();
  answers.channel = 'reconnecting';
  answers.publisher = { session: '1', connected: true };
  peer.hangUp();
  await pass(0.5);
  answers.publisher = { session: '2f', connected: false };
  await pass(0.5);
  expect(phase().name, 'who is just connecting may yet come to nothing').toBe('reconnecting');
  answers.publisher = { session: '2f', connected: true };
  await pass(1);
  expect(phase()).toEqual({ name: 'ended', why: 'taken_over' });
  await pass(10);
  expect(count('POST /whip/ada')).toBe(1);
});

test('the own session, as the server still shows it, is no other publisher', async () => {
  const peer = await onAir();
  answers.patch = () => new Response('{}', { status: 404 });
  answers.channel = 'reconnecting';
  answers.publisher = { session: '1', connected: true };
  peer.become('failed');
  await pass(0.1);
  expect(count('POST /whip/ada')).toBe(2);
});

test('a computer that slept through the window is not told that somebody ended its stream', async () => {
  const peer = await onAir();
  answers.patch = () => new Response('{}', { status: 404 });
  answers.channel = 'offline';
  vi.setSystemTime(Date.now() + 3_600_000);
  peer.become('failed');
  await pass(0.1);
  expect(phase()).toEqual({ name: 'ended', why: 'too_long' });
});

test('a server that was away and has no stream any more was restarted', async () => {
  const peer = await onAir();
  answers.patch = answers.post = () => {
    throw new TypeError('Failed to fetch');
  };
  peer.become('failed');
  await pass(3);
  answers.patch = () => new Response('{}', { status: 404 });
  answers.channel = 'offline';
  await pass(3);
  expect(phase()).toEqual({ name: 'ended', why: 'lost' });
});

test('only another kind of network is a reason to look for another path', async () => {
  await onAir();
  connection.dispatchEvent(new Event('change'));
  await pass(1);
  expect(count('PATCH /whip/sessions/1')).toBe(0);
  connection.type = 'cellular';
  connection.dispatchEvent(new Event('change'));
  connection.dispatchEvent(new Event('change'));
  await pass(1);
  expect(count('PATCH /whip/sessions/1')).toBe(1);
});
