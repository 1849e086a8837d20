import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeHls, type FakePeer, HOST, stubWorld, VARIANT, type World } from './fakes';
import { Player } from './player';
import type { PlayerState } from './state';

vi.mock('hls.js', () => ({ default: FakeHls }));

const HLS = { state: 'ready', url: '/hls/ada/index.m3u8', reason: null, window_seconds: 7200 };

let world: World;
let player: Player;
let detach: () => void;

beforeEach(() => {
  world = stubWorld();
  const startedAt = new Date(Date.now() - 600_000).toISOString();
  world.channel = { handle: 'ada', name: 'Ada', state: 'live', started_at: startedAt, hls: HLS };
  player = new Player('ada');
  detach = player.screen.attach(HOST);
});

afterEach(() => {
  detach();
  player.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const state = (): PlayerState => player.store.get();
const pass = async (seconds: number) => {
  // The import of the library resolves on the real clock.
  const stepMs = seconds > 20 ? 1000 : 100;
  for (let passed = 0; passed < seconds * 1000; passed += stepMs) {
    await vi.advanceTimersByTimeAsync(stepMs);
    await vi.dynamicImportSettled();
  }
};
const library = () => {
  const last = world.libraries.at(-1);
  if (!last) throw new Error('hls.js was not used');
  return last;
};

/** The newest session connects, and frames flow for so long. */
async function flow(
  seconds: number,
  peer: FakePeer | undefined = world.peers.at(-1),
  loss = 0,
): Promise<void> {
  if (!peer) throw new Error('no session');
  if (peer.connectionState !== 'connected') peer.become('connected');
  for (let second = 0; second < seconds; second += 1) {
    peer.frames += 30;
    peer.loss += loss * 3000;
    await pass(1);
  }
}

async function live(): Promise<FakePeer> {
  player.start();
  await pass(0.1);
  await flow(2);
  expect(state()).toMatchObject({ phase: { name: 'live' }, transport: 'webrtc' });
  return world.peers.at(-1) as FakePeer;
}

/** Plays by HLS because nothing connected. */
async function fallen(): Promise<void> {
  player.start();
  await pass(6);
  expect(state()).toMatchObject({ phase: { name: 'live' }, transport: 'll_hls' });
}

test('who reaches the server by HTTP alone has a picture within five seconds, and is told why', async () => {
  player.start();
  await pass(2.5);
  expect(world.libraries, 'it is got ready before all hope is lost').toHaveLength(1);
  expect(state().phase.name).toBe('connecting');
  await pass(1.5);
  expect(state()).toMatchObject({
    phase: { name: 'live' },
    transport: 'll_hls',
    notice: { transport: 'll_hls', words: expect.stringContaining('No direct connection') },
    changes: [{ from: 'webrtc', to: 'll_hls', reason: 'blocked' }],
  });
  expect(world.changes).toEqual([{ from: 'webrtc', to: 'll_hls', reason: 'blocked' }]);
  await pass(1);
  expect(state().latencyMs).toBeCloseTo(1000, -2);
});

test('hls.js is not loaded while the direct connection works', async () => {
  await live();
  await flow(30);
  expect(world.libraries).toHaveLength(0);
  expect(state().changes).toEqual([]);
});

test('a connection that comes up late is taken all the same, and HLS let go', async () => {
  player.start();
  await pass(2);
  expect(world.libraries).toHaveLength(1);
  await flow(5);
  expect(state()).toMatchObject({ transport: 'webrtc', changes: [], phase: { name: 'live' } });
  expect(library().destroyed).toBe(true);
});

test('it climbs again when media really flows, ever more rarely when it does not', async () => {
  await fallen();
  const sessions = () => world.posts();
  const first = sessions();
  await pass(31);
  expect(sessions()).toBe(first + 1);
  await pass(40);
  expect(sessions(), 'nothing came of it').toBe(first + 1);
  await pass(35);
  expect(sessions()).toBe(first + 2);
  await flow(2);
  expect(state().transport, 'two seconds prove nothing').toBe('ll_hls');
  await flow(3);
  expect(state()).toMatchObject({ transport: 'webrtc', notice: null });
  expect(world.changes.at(-1)).toEqual({ from: 'll_hls', to: 'webrtc', reason: 'recovered' });
  expect(library().destroyed).toBe(true);
});

test('"Back to instant" tries at once and says when it does not work', async () => {
  await fallen();
  player.backToInstant();
  expect(state().climbing).toBe(true);
  await pass(12);
  expect(state()).toMatchObject({
    climbing: false,
    transport: 'll_hls',
    notice: { words: expect.stringContaining('does not work yet') },
  });
  player.backToInstant();
  await pass(0.2);
  await flow(1);
  expect(state()).toMatchObject({ transport: 'webrtc', climbing: false, notice: null });
});

test('loss that stays high moves the viewer, a burst of it does not', async () => {
  const peer = await live();
  await flow(4, peer, 0.2);
  await flow(3, peer, 0);
  expect(state().transport).toBe('webrtc');
  await flow(9, peer, 0.2);
  expect(state()).toMatchObject({ transport: 'll_hls', changes: [{ reason: 'loss' }] });
});

for (const [status, code, reason] of [
  [503, 'server_full', 'server_full'],
  [422, 'codec_mismatch', 'codec'],
  [422, 'b_frames', 'b_frames'],
] as const) {
  test(`a viewer refused with ${code} gets HLS`, async () => {
    world.whep = () => Response.json({ code, detail: 'no' }, { status });
    player.start();
    await pass(2);
    expect(state()).toMatchObject({ phase: { name: 'live' }, transport: 'll_hls', changes: [{ reason }] });
  });
}

test('a browser without WebRTC waits until HLS is prepared', async () => {
  vi.stubGlobal('RTCPeerConnection', undefined);
  world.channel = { ...world.channel, hls: { ...HLS, state: 'preparing' } };
  player.start();
  await pass(3);
  expect(state().phase.name).toBe('connecting');
  world.channel = { ...world.channel, hls: HLS };
  await pass(3);
  expect(state()).toMatchObject({ phase: { name: 'live' }, changes: [{ reason: 'unsupported' }] });
});

test('where HLS is not to be had either, both reasons are named', async () => {
  world.channel = { ...world.channel, hls: { state: 'unavailable', url: '', reason: 'The host sends VP8.' } };
  player.start();
  await pass(60);
  expect(state().phase).toMatchObject({
    name: 'failed',
    reason: expect.stringContaining('The host sends VP8.'),
  });
});

test('low latency that keeps stalling becomes stable, and low again after a calm while', async () => {
  await fallen();
  const video = player.screen.video;
  for (let stall = 0; stall < 3; stall += 1) {
    video?.dispatchEvent(new Event('waiting'));
    await pass(1);
    video?.dispatchEvent(new Event('playing'));
    await pass(1);
  }
  expect(state()).toMatchObject({ transport: 'hls', notice: { transport: 'hls' } });
  expect(library().lowLatencyMode).toBe(false);
  expect(world.changes.at(-1)).toEqual({ from: 'll_hls', to: 'hls', reason: 'stalled' });
  await pass(150);
  expect(state().transport).toBe('ll_hls');
  expect(world.changes.at(-1)).toEqual({ from: 'hls', to: 'll_hls', reason: 'recovered' });
});

test('a choice is kept, on the next visit too, and nothing climbs over it', async () => {
  const kept = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  });
  const peer = await live();
  player.chooseLatency('stable');
  for (let second = 0; second < 3; second += 1) await flow(1, peer);
  expect(state()).toMatchObject({ transport: 'hls', choice: 'stable', notice: null });
  expect(world.changes).toEqual([{ from: 'webrtc', to: 'hls', reason: 'chosen' }]);
  const sessions = world.posts();
  await pass(200);
  expect(world.posts()).toBe(sessions);
  expect(new Player('ada').store.get().choice).toBe('stable');
  player.chooseLatency('low');
  await pass(1);
  expect(state().transport).toBe('ll_hls');
});

test('rewinding leaves the direct connection for a moment of the past, and going live returns to it', async () => {
  const peer = await live();
  player.rewind.seekBy(-60);
  await flow(2, peer);
  expect(state()).toMatchObject({ transport: 'll_hls', rewound: true, notice: null });
  const { timeline } = state();
  expect(((timeline?.endMs ?? 0) - (timeline?.positionMs ?? 0)) / 1000).toBeCloseTo(60, -1);
  expect(world.changes).toEqual([{ from: 'webrtc', to: 'll_hls', reason: 'rewound' }]);
  const sessions = world.posts();
  await pass(120);
  expect(world.posts(), 'nobody is torn out of the past').toBe(sessions);

  player.rewind.goLive();
  await pass(0.2);
  await flow(1);
  expect(state()).toMatchObject({ transport: 'webrtc', rewound: false });
  expect(world.changes.at(-1)).toEqual({ from: 'll_hls', to: 'webrtc', reason: 'chosen' });
});

test('a long pause keeps its place, a short one goes on live', async () => {
  const peer = await live();
  player.rewind.pause();
  await flow(2, peer);
  player.rewind.play();
  await flow(2, peer);
  expect(state()).toMatchObject({ transport: 'webrtc', paused: false });

  player.rewind.pause();
  await flow(11, peer);
  expect(state(), 'the connection is given back').toMatchObject({ transport: 'webrtc', paused: true });
});

test('layers that come up later are found, and play goes on at the same place', async () => {
  await fallen();
  world.multivariant = VARIANT + VARIANT.replace('h.m3u8', 'm.m3u8');
  await pass(16);
  world.multivariant += VARIANT.replace('h.m3u8', 'l.m3u8');
  await pass(16);
  expect(world.libraries).toHaveLength(2);
  expect(world.libraries[0]?.destroyed).toBe(true);
  expect(state()).toMatchObject({ transport: 'll_hls', phase: { name: 'live' } });
  expect(state().changes).toHaveLength(1);
  await pass(40);
  expect(world.libraries, 'and not again').toHaveLength(2);
});

test('a quality is kept when the transport changes', async () => {
  const peer = await live();
  const layers = {
    0: [
      { rid: 'h', width: 1280, height: 720 },
      { rid: 'l', width: 640, height: 360 },
    ],
  };
  world.events?.say('layers', layers);
  await player.chooseQuality('l');
  expect(state().pinned).toBe('l');
  player.rewind.seekBy(-60);
  await flow(2, peer);
  expect(state()).toMatchObject({ transport: 'll_hls', pinned: '360p' });
  expect(library().manualLevel).toBe(1);
});

test('the host away and the end are told over HLS, too', async () => {
  await fallen();
  const { channel } = world;
  world.segments = false;
  world.channel = { ...channel, state: 'reconnecting' };
  await pass(8);
  expect(state().phase.name).toBe('host_reconnecting');
  world.segments = true;
  world.channel = channel;
  await pass(3);
  expect(state().phase.name).toBe('live');
  player.screen.video?.dispatchEvent(new Event('ended'));
  expect(state().phase.name).toBe('ended');
});

test('playback that breaks is begun anew', async () => {
  await fallen();
  library().emit('error', {
    fatal: true,
    type: 'networkError',
    details: 'levelLoadError',
    response: { code: 404 },
    error: new Error('x'),
  });
  await pass(0.1);
  await pass(2);
  expect(world.libraries).toHaveLength(2);
  expect(state()).toMatchObject({ phase: { name: 'live' }, transport: 'll_hls' });
});

test('stalls in the past make the buffer larger and leave the viewer where they are', async () => {
  const peer = await live();
  player.rewind.seekBy(-120);
  await flow(2, peer);
  const video = player.screen.video;
  video?.dispatchEvent(new Event('waiting'));
  world.segments = false;
  await pass(5);
  world.segments = true;
  await pass(2);
  expect(state()).toMatchObject({ transport: 'hls', rewound: true });
  const { timeline } = state();
  expect((timeline?.endMs ?? 0) - (timeline?.positionMs ?? 0)).toBeGreaterThan(115_000);
});

test('who chose nothing begins by the way that the creator prefers', async () => {
  world.channel = { ...world.channel, stream: { title: 'x', settings: { latency: 'stable' } } };
  player.start();
  await flow(4);
  await pass(4);
  expect(state().transport).toBe('hls');
  expect(state().notice, 'it is no fall').toBeNull();
  await pass(60);
  expect(state().transport).toBe('hls');
});

test('what the viewer chose goes before what the creator prefers', async () => {
  world.channel = { ...world.channel, stream: { title: 'x', settings: { latency: 'stable' } } };
  player.chooseLatency('instant');
  player.start();
  await flow(6);
  expect(state().transport).toBe('webrtc');
});
