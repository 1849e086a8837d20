import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type FakePeer, stubWorld, type World } from './fakes';
import { Player } from './player';

let world: World;
let player: Player;

beforeEach(() => {
  world = stubWorld();
  player = new Player('ada');
});

afterEach(() => {
  player.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const phase = () => player.store.get().phase.name;
const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

async function live(): Promise<FakePeer> {
  player.start();
  await pass(0.1);
  const peer = world.peers.at(-1);
  if (!peer) throw new Error('no session');
  peer.become('connected');
  peer.frames = 30;
  await pass(1);
  expect(phase()).toBe('live');
  return peer;
}

test('a picture makes it live', async () => {
  await live();
  expect(player.store.get().joinMs).toBeGreaterThan(0);
  expect(player.store.get().channel?.name).toBe('Ada');
});

test('whoever wants data beside the picture is handed its channels, behind the media', async () => {
  player = new Player('ada', '', true);
  const peer = await live();
  expect(peer.sections).toEqual(['video', 'audio', 'chat', 'reactions']);
  expect(player.store.get().data?.reactions).toMatchObject({ ordered: false, maxRetransmits: 0 });
  player.stop();
  expect(player.store.get().data).toBeNull();
});

test('a server that stops says so on the data channel, and the player connects again', async () => {
  player = new Player('ada', '', true);
  const peer = await live();
  const say = (data: string) =>
    peer.channels[0]?.dispatchEvent(Object.assign(new Event('message'), { data }));
  say('{"type":"message","message":{"text":"{\\"type\\":\\"reconnect\\"}"}}');
  expect(phase()).toBe('live');
  say('{"type":"reconnect"}');
  expect(phase()).toBe('reconnecting');
  await pass(0.1);
  expect(world.peers.length).toBe(2);
});

test('a player elsewhere asks for no data', async () => {
  const peer = await live();
  expect(peer.sections).toEqual(['video', 'audio']);
  expect(player.store.get().data).toBeNull();
});

test('the server hears who watches by which session, until the page closes', async () => {
  await live();
  await pass(31);
  expect(world.beats.map(({ transport, session, leaving }) => [transport, session, leaving])).toEqual([
    ['webrtc', '1', false],
    ['webrtc', '1', false],
  ]);
  player.stop();
  player.stop();
  expect(world.beats.at(-1)).toMatchObject({ transport: 'webrtc', leaving: true });
  expect(world.beats).toHaveLength(3);
});

test('an offline channel is asked again and joined when it is on air', async () => {
  world.whep = () => new Response('{"code":"not_live"}', { status: 409 });
  world.channel = { handle: 'ada', state: 'offline' };
  player.start();
  await pass(0.1);
  expect(phase()).toBe('offline');
  await pass(10);
  expect(world.posts()).toBe(1);

  world.whep = () => world.created();
  world.channel = { handle: 'ada', state: 'live', started_at: 'T2' };
  await pass(3);
  expect(world.posts()).toBe(2);
  expect(phase()).toBe('connecting');
});

test('a lost host is waited for in the same session', async () => {
  const peer = await live();
  world.events?.say('active');
  world.events?.say('inactive');
  expect(phase()).toBe('host_reconnecting');
  peer.frames += 2;
  await pass(1);
  expect(phase(), 'what was still on its way is no return').toBe('host_reconnecting');
  await pass(2);
  peer.frames += 30;
  await pass(1);
  expect(phase()).toBe('live');
  expect(world.posts()).toBe(1);
});

test('a restarted server is asked until the host is back, and it is the same stream', async () => {
  const peer = await live();
  world.whep = () =>
    new Response('{"code":"publisher_away"}', { status: 409, headers: { 'Retry-After': '2' } });
  world.channel = { handle: 'ada', state: 'reconnecting', started_at: 'T1' };
  world.events?.say('reconnect');
  peer.become('failed');
  await pass(0.1);
  expect(phase()).toBe('reconnecting');
  await pass(9);
  expect(phase()).toBe('reconnecting');
  const before = world.posts();
  world.whep = () => world.created();
  world.channel = { handle: 'ada', state: 'live', started_at: 'T1' };
  await pass(3);
  expect(world.posts()).toBe(before + 1);
});

test('the end is told, and only another stream begins again', async () => {
  await live();
  world.events?.say('ended');
  expect(phase()).toBe('ended');
  await pass(6);
  expect(world.posts(), 'the server may still call the old stream live').toBe(1);
  world.channel = { handle: 'ada', state: 'live', started_at: 'T2' };
  await pass(3);
  expect(world.posts()).toBe(2);
});

test('silence without a word is held against what the server says', async () => {
  await live();
  world.channel = { handle: 'ada', state: 'reconnecting', started_at: 'T1' };
  await pass(6);
  expect(phase()).toBe('host_reconnecting');
  world.channel = { handle: 'ada', state: 'offline' };
  await pass(6);
  expect(phase()).toBe('ended');
});

test('a failed connection gets a new session at once, then ever more slowly', async () => {
  const peer = await live();
  world.whep = () => new Response('', { status: 502 });
  peer.become('failed');
  await pass(0.1);
  expect(phase()).toBe('reconnecting');
  expect(world.posts()).toBe(2);
  await pass(1.5);
  expect(world.posts()).toBe(2);
  await pass(1);
  expect(world.posts()).toBe(3);
  world.whep = () => world.created();
  player.retryNow();
  await pass(0.1);
  expect(world.posts()).toBe(4);
});

test('a connection that never comes up ends in words, not in a spinner', async () => {
  player.start();
  await pass(60);
  expect(player.store.get().phase).toMatchObject({
    name: 'failed',
    reason: expect.stringContaining('firewall'),
  });
});

test('an unknown channel and a browser without WebRTC have states of their own', async () => {
  world.channel = null;
  world.whep = () => new Response('{"code":"channel_not_found"}', { status: 404 });
  player.start();
  await pass(0.1);
  expect(phase()).toBe('not_found');

  vi.stubGlobal('RTCPeerConnection', undefined);
  player.retryNow();
  expect(phase()).toBe('unsupported');
});

test('a chosen layer is asked for, and again in the next session', async () => {
  const layers = {
    0: [
      { rid: 'h', width: 1280, height: 720 },
      { rid: 'l', width: 320, height: 180 },
    ],
  };
  const peer = await live();
  world.events?.say('layers', layers);
  await player.chooseQuality('l');
  expect(player.store.get().pinned).toBe('l');
  const asked = () => world.requests.filter((request) => request.endsWith('/layer')).length;
  expect(asked()).toBe(1);
  peer.become('failed');
  await pass(0.5);
  world.events?.say('layers', layers);
  await pass(0.1);
  expect(asked()).toBe(2);
});

test('a quality is called fixed only while the server holds to it', async () => {
  const low = { rid: 'l', width: 320, height: 180 };
  const high = { rid: 'h', width: 1280, height: 720 };
  const pinned = () => player.store.get().pinned;
  const peer = await live();
  world.events?.say('layers', { 0: [high, low] });
  await player.chooseQuality('l');
  expect(pinned()).toBe('l');

  peer.become('failed');
  await pass(0.5);
  expect(pinned(), 'a new session knows nothing of it').toBeNull();
  world.layer = () => new Response('', { status: 409 });
  world.events?.say('layers', { 0: [high, low] });
  await pass(0.1);
  expect(pinned(), 'refused').toBeNull();
  world.layer = () => new Response('');
  world.events?.say('layers', { 0: [high, low] });
  await pass(0.1);
  expect(pinned(), 'asked again').toBe('l');

  world.events?.say('layers', { 0: [high] });
  await pass(0.1);
  expect(pinned(), 'the host sends it no more').toBeNull();
  world.events?.say('layers', { 0: [high, low] });
  await pass(0.1);
  expect(pinned()).toBe('l');

  await player.chooseQuality(null);
  world.events?.say('layers', { 0: [high, low] });
  await pass(0.1);
  expect(pinned()).toBeNull();
});

test('a refused choice leaves what was chosen before', async () => {
  await live();
  world.events?.say('layers', {
    0: [
      { rid: 'h', width: 1280, height: 720 },
      { rid: 'l', width: 320, height: 180 },
    ],
  });
  await player.chooseQuality('h');
  world.layer = () => new Response('', { status: 422 });
  await player.chooseQuality('l');
  expect(player.store.get().pinned).toBe('h');
});

test('leaving ends the session on the server', async () => {
  await live();
  player.stop();
  expect(world.requests).toContain('DELETE /whep/sessions/1');
});
