import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Connection } from './connection';
import { FakeSocket, fakePair, hello, stubWorld } from './fakes';

let connection: Connection;
let tokens: number;
const heard = { joined: vi.fn(), frame: vi.fn(), lost: vi.fn(), refused: vi.fn() };

beforeEach(() => {
  stubWorld();
  vi.resetAllMocks();
  tokens = 0;
  connection = new Connection({
    socketUrl: 'ws://host/ws',
    token: async () => {
      tokens += 1;
      return `token ${tokens}`;
    },
    join: () => ({}),
    listener: heard,
  });
});

afterEach(() => {
  connection.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const sockets = () => FakeSocket.made.length;

/** Joined over a data channel. */
async function joined() {
  const pair = fakePair();
  connection.offer(pair.offered);
  connection.start();
  pair.chat.open();
  await pass(0);
  pair.chat.say(hello());
  expect(heard.joined).toHaveBeenLastCalledWith('data');
  return pair;
}

async function joinedBySocket(): Promise<FakeSocket> {
  connection.start();
  const socket = FakeSocket.made.at(-1) as FakeSocket;
  socket.open();
  socket.say(hello());
  return socket;
}

const closed = (code: string) => ({ type: 'closed', code, detail: 'so it is' });

test('a data channel that the server closes is over, though the channel itself stays', async () => {
  const pair = await joined();
  pair.chat.say(closed('door_changed'));
  await pass(0);
  expect(pair.chat.readyState).toBe('closed');
  expect(connection.send({ type: 'ping' })).toBe(false);
  expect(sockets()).toBe(1);
  connection.offer(pair.offered);
  await pass(0);
  expect(sockets(), 'what is spent is not taken again, and disturbs nothing').toBe(1);
  expect(FakeSocket.made[0]?.readyState).toBe(0);
});

test.each(['restarting', 'slow_reader', 'busy'])('after %s there is a pause', async (code) => {
  const pair = await joined();
  pair.chat.say(closed(code));
  await pass(400);
  expect(sockets()).toBe(0);
  await pass(1000);
  expect(sockets()).toBe(1);
});

test.each(['channel_gone', 'too_many_connections', 'malformed', 'too_large', 'version_unknown'])(
  'after %s nothing is tried until it is asked for',
  async (code) => {
    const pair = await joined();
    pair.chat.say(closed(code));
    expect(heard.refused).toHaveBeenCalledWith(code, 'so it is');
    const next = fakePair();
    connection.offer(next.offered);
    await pass(60_000);
    expect(sockets()).toBe(0);
    connection.offer(null);
    connection.retryNow();
    expect(sockets()).toBe(1);
  },
);

test('a changed door is gone through again at once, by the socket as well', async () => {
  const socket = await joinedBySocket();
  socket.say(closed('door_changed'));
  await pass(0);
  expect(sockets()).toBe(2);
});

test('a stale token is followed by another, once, and then by the cookie', async () => {
  const pair = fakePair();
  connection.offer(pair.offered);
  connection.start();
  pair.chat.open();
  await pass(0);
  pair.chat.say({ type: 'refused', code: 'token_used', detail: '' });
  await pass(0);
  expect(pair.chat.sent).toMatchObject([{ token: 'token 1' }, { token: 'token 2' }]);
  pair.chat.say(closed('token_invalid'));
  await pass(0);
  expect(sockets()).toBe(1);
});

test('a farewell of what was only getting ready ends nothing else', async () => {
  const socket = await joinedBySocket();
  const pair = fakePair();
  connection.offer(pair.offered);
  pair.chat.open();
  await pass(0);
  pair.chat.say(closed('too_many_connections'));
  expect(heard.refused).not.toHaveBeenCalled();
  socket.drop();
  await pass(1500);
  expect(sockets()).toBe(2);
});
