import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeHls, type FakePeer, HOST, stubWorld, type World } from './fakes';
import { Player } from './player';
import { RecordingPlayer } from './recording';

vi.mock('hls.js', () => ({ default: FakeHls }));

const STREAM = { id: 's1', title: 'Concert', gate: { who: 'members', tier: 1 } };
const OPEN = { handle: 'ada', name: 'Ada', state: 'live', started_at: 'T1', stream: STREAM };
const HLS = { hls: { state: 'ready', url: '/hls/ada/index.m3u8', window_seconds: 600 } };
const BARRED = { ...OPEN, stream_entry: { access: 'members', tier: 1, preview_seconds: null } };
const GATED = '/hls/ada/t.first/v0/1.mp4';

let world: World;
let player: Player;

beforeEach(() => {
  world = stubWorld();
  world.channel = { ...OPEN, ...HLS };
  player = new Player('ada');
  player.screen.attach(HOST);
});

afterEach(() => {
  player.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const phase = () => player.store.get().phase;
const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);
const refusal = (code: string) => Response.json({ code }, { status: 403 });
const asked = (request: string) => world.requests.filter((each) => each === request).length;

async function live(): Promise<FakePeer> {
  player.start();
  await pass(0.1);
  const peer = world.peers.at(-1) as FakePeer;
  peer.become('connected');
  peer.frames = 30;
  await pass(1);
  expect(phase().name).toBe('live');
  return peer;
}

/** Plays by HLS, and has a pass. */
async function liveByHls(): Promise<FakeHls> {
  player.chooseLatency('stable');
  player.start();
  await pass(3);
  expect(phase().name).toBe('live');
  const library = world.libraries.at(-1) as FakeHls;
  library.request(GATED);
  await pass(0.1);
  return library;
}

test('whoever lacks a membership is barred at once, and nothing else is tried', async () => {
  world.whep = () => refusal('members_only');
  world.channel = { ...BARRED, ...HLS };
  player.start();
  await pass(60);
  expect(phase()).toEqual({ name: 'barred', why: 'members_only', midway: false });
  expect(world.posts()).toBe(1);
  expect(world.libraries, 'not by HLS either').toHaveLength(0);
});

test('who loses access while watching is told so, and is not led through every transport', async () => {
  const peer = await live();
  world.whep = () => refusal('members_only');
  world.channel = { ...BARRED, ...HLS };
  world.events?.say('barred', { code: 'access_ended', detail: 'Your membership has ended.' });
  peer.become('failed');
  expect(phase()).toEqual({ name: 'barred', why: 'access_ended', midway: true });
  await pass(60);
  expect(phase().name).toBe('barred');
  expect(world.posts()).toBe(1);
  expect(world.libraries).toHaveLength(0);
});

test('a session that broke before its reason was heard ends at the same gate', async () => {
  const peer = await live();
  world.channel = { ...BARRED, ...HLS };
  world.whep = () => refusal('members_only');
  peer.become('failed');
  await pass(2);
  expect(phase()).toEqual({ name: 'barred', why: 'members_only', midway: true });
  const libraries = world.libraries.length;
  await pass(60);
  expect(world.libraries).toHaveLength(libraries);
});

test('who is let in watches without doing anything', async () => {
  world.whep = () => refusal('members_only');
  world.channel = { ...BARRED, ...HLS };
  player.start();
  await pass(1);
  world.whep = () => world.created();
  world.channel = { ...OPEN, ...HLS };
  await player.askEntry();
  await pass(0.1);
  expect(world.posts()).toBe(2);
  expect(phase().name).toBe('connecting');
});

test('a server that says both yes and no is asked ever more slowly', async () => {
  world.whep = () => refusal('members_only');
  player.start();
  await pass(120);
  expect(phase().name).toBe('barred');
  expect(world.posts()).toBeGreaterThan(2);
  expect(world.posts()).toBeLessThan(20);
});

test('a stream that ends behind the gate is over for who waits there', async () => {
  world.whep = () => refusal('members_only');
  world.channel = { ...BARRED, ...HLS };
  player.start();
  await pass(1);
  world.channel = { ...OPEN, state: 'offline', stream: null };
  await pass(20);
  expect(phase().name).toBe('offline');
});

test('a free look has an end that is known', async () => {
  world.channel = { ...OPEN, stream_entry: { access: 'members', tier: 1, preview_seconds: 60 } };
  await live();
  const { previewEndsAt } = player.store.get();
  expect((previewEndsAt ?? 0) - Date.now()).toBeGreaterThan(55_000);
  world.channel = BARRED;
  world.events?.say('barred', { code: 'preview_over' });
  expect(phase()).toEqual({ name: 'barred', why: 'preview_over', midway: true });
  expect(player.store.get().previewEndsAt).toBeNull();
});

test('by HLS every request has the newest pass, and its end bars', async () => {
  let count = 0;
  world.pass = () => {
    count += 1;
    return Response.json({ pass: `p${count}`, renew_in_seconds: 30, preview_seconds: null });
  };
  const library = await liveByHls();
  expect(library.request(GATED)).toBe('/hls/ada/t.p1/v0/1.mp4');
  await pass(30);
  expect(library.request(GATED)).toBe('/hls/ada/t.p2/v0/1.mp4');
  expect(asked('POST /api/streams/s1/pass')).toBe(2);

  world.pass = () => refusal('ticket_required');
  world.channel = { ...BARRED, ...HLS };
  await pass(30);
  expect(phase()).toEqual({ name: 'barred', why: 'ticket_required', midway: true });
  expect(library.destroyed).toBe(true);
  const libraries = world.libraries.length;
  await pass(60);
  expect(world.libraries).toHaveLength(libraries);
  expect(world.posts(), 'nor by WebRTC').toBe(0);
});

test('media that is refused although passes are given out is resumed once, and then begun anew', async () => {
  world.pass = () => Response.json({ pass: 'p', renew_in_seconds: 30, preview_seconds: null });
  const library = await liveByHls();
  const refuse = async () => {
    library.emit('error', { fatal: false, details: 'fragLoadError', response: { code: 403 } });
    await pass(0.1);
  };
  await refuse();
  expect(phase().name, 'an old pass').toBe('live');
  expect(library.startedAt).not.toBeNull();
  await refuse();
  expect(library.destroyed).toBe(true);
});

test('media that is refused without a reason bars, and is not asked for again', async () => {
  const library = await liveByHls();
  world.channel = { ...BARRED, ...HLS };
  library.emit('error', { fatal: false, details: 'fragLoadError', response: { code: 403 } });
  await pass(0.1);
  expect(phase()).toEqual({ name: 'barred', why: 'unknown', midway: true });
});

test('a recording is barred as well, and begins anew for who is let in', async () => {
  const recording = new RecordingPlayer({ id: 'r1', url: '/vod/r1/index.m3u8', startS: 0 });
  recording.screen.attach(HOST);
  recording.start();
  await pass(0.1);
  const library = world.libraries.at(-1) as FakeHls;
  world.pass = () => refusal('preview_over');
  library.request('/vod/r1.first/v0/1.mp4');
  await pass(0.1);
  expect(asked('POST /api/recordings/r1/pass')).toBe(1);
  expect(recording.store.get().phase).toMatchObject({ name: 'barred', why: 'preview_over' });
  recording.retry();
  await pass(0.1);
  expect(recording.store.get().phase.name).not.toBe('barred');
  recording.stop();
});
