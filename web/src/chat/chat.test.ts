import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Chat } from './chat';
import { FakeSocket, fakePair, hello, message, STREAM, stubWorld } from './fakes';
import { prefer } from './preferences';
import type { Poll } from './protocol';
import { answerTwice, isOverScene, namesKnown, pollNews } from './state';

let chat: Chat;
const older = vi.fn();

beforeEach(() => {
  stubWorld();
  prefer({ sync: true });
  chat = new Chat({ handle: 'ada', origin: 'http://host', token: async () => 'secret', older });
});

afterEach(() => {
  chat.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const state = () => chat.store.get();
const texts = () => state().rows.map((row) => row.message.text);

async function joined(patch: Record<string, unknown> = {}): Promise<FakeSocket> {
  chat.start();
  const socket = FakeSocket.made.at(-1);
  if (!socket) throw new Error('no socket');
  socket.open();
  socket.say(hello(patch));
  await pass(100);
  return socket;
}

const sent = (socket: { sent: unknown[] }, type: string) =>
  socket.sent.filter((frame) => (frame as { type: string }).type === type) as Record<string, unknown>[];

test('a room is joined over the socket of its channel, and shows what was said', async () => {
  const socket = await joined({ messages: [message(1), message(2)] });
  expect(socket.url).toBe('ws://host/api/channels/ada/chat/ws');
  expect(sent(socket, 'join')[0]).toMatchObject({ v: 1, guest: expect.stringMatching(/^[0-9a-f]{32}$/) });
  expect(texts()).toEqual(['message 1', 'message 2']);
  expect(state().link).toEqual({ name: 'open', by: 'socket' });
});

test('one’s own message stands there at once, and stays in its place when it is said', async () => {
  const socket = await joined();
  chat.say(' hi ');
  expect(state().rows[0]).toMatchObject({ state: 'sending', message: { text: 'hi' } });
  const key = state().rows[0]?.key;
  const [frame] = sent(socket, 'send');
  socket.say(
    { type: 'message', message: message(7, { text: 'other' }) },
    { type: 'accepted', ref: frame?.ref, id: 8 },
    { type: 'message', message: message(8, { text: 'hi', from: me() }) },
  );
  expect(state().rows.map((row) => [row.key, row.state])).toEqual([
    [key, 'said'],
    ['m7', 'said'],
  ]);
});

test('a message that another server was told of late stands where it was said', async () => {
  const socket = await joined({ messages: [message(5), message(9)] });
  socket.say({ type: 'message', message: message(7) });
  socket.say({ type: 'message', message: message(3) });
  socket.say({ type: 'message', message: message(11) });
  socket.say({ type: 'message', message: message(7) });
  expect(state().rows.map(({ message: { id } }) => id)).toEqual([3, 5, 7, 9, 11]);
});

test('a message that is told before it is accepted is not shown twice', async () => {
  const socket = await joined();
  chat.say('hi');
  const [frame] = sent(socket, 'send');
  socket.say({ type: 'message', message: message(8, { text: 'hi', from: me() }) });
  socket.say({ type: 'accepted', ref: frame?.ref, id: 8 });
  expect(texts()).toEqual(['hi']);
  expect(state().rows[0]?.message.id).toBe(8);
});

test('a refused message says why and can be said again', async () => {
  const socket = await joined();
  chat.say('hi');
  const [first] = sent(socket, 'send');
  socket.say({ type: 'refused', ref: first?.ref, code: 'too_fast', detail: 'too fast', wait_ms: 2000 });
  const [row] = state().rows;
  expect(row).toMatchObject({ state: 'failed', why: 'Too fast.' });
  expect(state().waitUntil).toBe(Date.now() + 2000);
  chat.tryAgain(row?.key ?? '');
  expect(sent(socket, 'send')[1]?.ref).not.toBe(first?.ref);
  expect(texts()).toEqual(['hi']);
});

test('a message that was held is let through where it stands', async () => {
  const socket = await joined();
  chat.say('perhaps');
  socket.say({ type: 'held', ref: sent(socket, 'send')[0]?.ref, id: 9 });
  expect(state().rows[0]?.state).toBe('held');
  socket.say({ type: 'message', message: message(9, { text: 'perhaps', from: me() }) });
  expect(state().rows.map((row) => row.state)).toEqual(['said']);
});

test('a message without an answer is tried again under its own ref', async () => {
  const socket = await joined();
  chat.say('hi');
  await pass(11_000);
  expect(state().rows[0]?.state).toBe('failed');
  chat.tryAgain(state().rows[0]?.key ?? '');
  const [one, two] = sent(socket, 'send');
  expect(two?.ref).toBe(one?.ref);
});

test('a lost socket comes back with what it has, and what was being said is said', async () => {
  const socket = await joined({ messages: [message(5)] });
  chat.say('hi');
  socket.drop();
  expect(state().link.name).toBe('reconnecting');
  await pass(1100);
  const again = FakeSocket.made.at(-1) as FakeSocket;
  expect(again).not.toBe(socket);
  again.open();
  expect(sent(again, 'join')[0]).toMatchObject({ after: 5 });
  again.say(hello({ resumed: true, messages: [message(6)] }));
  expect(texts()).toEqual(['message 5', 'hi', 'message 6']);
  expect(sent(again, 'send')[0]?.ref).toBe(sent(socket, 'send')[0]?.ref);
});

test('after a server that knows nothing any more, what one is saying stands below what was said', async () => {
  const socket = await joined({ messages: [message(5)] });
  chat.say('said already');
  chat.say('on its way');
  socket.drop();
  await pass(1100);
  const again = FakeSocket.made.at(-1) as FakeSocket;
  again.open();
  const said = message(6, { text: 'said already', from: me() });
  again.say(hello({ resumed: false, messages: [message(4), message(5), said, message(7)] }));
  expect(texts()).toEqual(['message 4', 'message 5', 'said already', 'message 7', 'on its way']);
  expect(state().rows.at(-1)?.state).toBe('sending');
  again.say({ type: 'message', message: message(8) });
  expect(texts().slice(-2)).toEqual(['on its way', 'message 8']);
});

test('the data channel of a session takes over and gives back, and nothing is shown twice', async () => {
  const socket = await joined({ messages: [message(5)] });
  const pair = fakePair();
  chat.offer(pair.offered);
  pair.chat.open();
  await pass(0);
  expect(sent(pair.chat, 'join')[0]).toMatchObject({ token: 'secret', after: 5 });
  socket.say({ type: 'message', message: message(6) });
  pair.chat.say(hello({ resumed: true, messages: [message(6)] }));
  expect(state().link).toEqual({ name: 'open', by: 'data' });
  expect(socket.readyState).toBe(3);
  pair.reactions.open();
  chat.react('🔥');
  expect(sent(pair.reactions, 'react')).toHaveLength(1);

  pair.chat.drop();
  await pass(0);
  const back = FakeSocket.made.at(-1) as FakeSocket;
  expect(back).not.toBe(socket);
  back.open();
  back.say(hello({ resumed: true, messages: [message(6), message(7)] }));
  expect(texts()).toEqual(['message 5', 'message 6', 'message 7']);
});

test('a data channel that does not open is not waited for', async () => {
  const pair = fakePair();
  chat.offer(pair.offered);
  chat.start();
  await pass(3900);
  expect(FakeSocket.made).toHaveLength(0);
  await pass(200);
  expect(FakeSocket.made).toHaveLength(1);
});

test('a socket that answers no ping is dead', async () => {
  const socket = await joined();
  await pass(26_000);
  expect(sent(socket, 'ping').length).toBeGreaterThan(0);
  await pass(20_000);
  expect(socket.readyState).toBe(3);
});

test('what is said about a later picture waits for it, and one’s own does not', async () => {
  const socket = await joined();
  let seen = 590_000;
  chat.follow(() => ({ wallMs: Date.parse(STREAM.started_at) + seen }));
  socket.say(
    { type: 'message', message: message(1, { stream_time_ms: 596_000 }) },
    { type: 'message', message: message(2, { stream_time_ms: 589_000 }) },
    { type: 'message', message: message(3, { stream_time_ms: 596_500, from: me() }) },
    { type: 'message', message: message(4, { stream_time_ms: 597_000 }) },
  );
  expect(texts()).toEqual(['message 2', 'message 3']);
  expect(state().heldBack).toBe(2);
  socket.say({ type: 'deleted', ids: [4] });
  seen = 596_100;
  await pass(60);
  expect(texts()).toEqual(['message 2', 'message 3', 'message 1']);
  expect(state().heldBack).toBe(0);
  chat.say('now');
  expect(sent(socket, 'send')[0]?.seen_ms).toBe(596_100);
});

test('who wants no sync, or sees no picture, waits for nothing', async () => {
  const socket = await joined();
  chat.follow(() => ({ behindMs: 6000 }));
  socket.say({ type: 'message', message: message(1, { stream_time_ms: 600_000 }) });
  expect(texts()).toEqual([]);
  prefer({ sync: false });
  await pass(60);
  expect(texts()).toEqual(['message 1']);
});

test('deleted, cleared and silenced words are gone, whatever comes behind them', async () => {
  const socket = await joined({
    messages: [message(1), message(2), message(3, { from: { ...me(), id: 'bad' } }), message(4)],
  });
  socket.say({ type: 'deleted', ids: [2] }, { type: 'silenced', from: 'bad' });
  expect(texts()).toEqual(['message 1', 'message 4']);
  socket.say({ type: 'cleared', before: 3 });
  expect(texts()).toEqual(['message 4']);
});

test('what waits for a moderator is what the server says, and no longer than it waits', async () => {
  const socket = await joined();
  const hold = (id: number, from = 'bad') => ({
    type: 'hold',
    message: message(id, { from: { ...me(), id: from } }),
  });
  const waiting = () => state().holds.map(({ id }) => id);
  socket.say(hold(1), hold(2), hold(3), hold(4, 'worse'), hold(9));
  socket.say({ type: 'hold_settled', id: 9, approved: true });
  socket.say({ type: 'cleared', before: 1 }, { type: 'deleted', ids: [2] });
  expect(waiting()).toEqual([3, 4]);
  socket.say({ type: 'silenced', from: 'worse' });
  expect(waiting()).toEqual([3]);
  socket.say(hello({ resumed: true }), hold(5));
  expect(waiting()).toEqual([5]);
});

test('the newest 5,000 rows are kept', async () => {
  const socket = await joined();
  for (let at = 0; at < 52; at += 1) {
    socket.say(
      ...Array.from({ length: 100 }, (_, n) => ({ type: 'message', message: message(at * 100 + n + 1) })),
    );
  }
  expect(state().rows).toHaveLength(5000);
  expect(state().rows.at(-1)?.message.id).toBe(5200);
});

test('a poll waits for its picture, and its numbers do not', async () => {
  const socket = await joined();
  let seen = 1000;
  chat.follow(() => ({ wallMs: Date.parse(STREAM.started_at) + seen }));
  socket.say({ type: 'poll', poll: poll(0) });
  socket.say({ type: 'poll', poll: poll(3) });
  expect(state().poll).toBeNull();
  seen = 2000;
  await pass(60);
  expect(state().poll?.options[0]?.votes).toBe(3);
  socket.say({ type: 'poll', poll: poll(4) });
  expect(state().poll?.options[0]?.votes).toBe(4);
  socket.say({ type: 'poll', poll: null });
  expect(state().poll).toBeNull();
});

test('a poll ends, and tells how, when the picture is as far', async () => {
  const socket = await joined();
  let seen = 2000;
  chat.follow(() => ({ wallMs: Date.parse(STREAM.started_at) + seen }));
  socket.say({ type: 'poll', poll: poll(3, { closes_ms: 9000 }) });
  socket.say({ type: 'poll', poll: poll(7, { closes_ms: 8000, state: 'ended' }) });
  expect(state().poll).toMatchObject({ state: 'open', closes_ms: 8000, options: [{ votes: 3 }] });
  expect(chat.leftMs(state().poll as Poll)).toBe(6000);
  seen = 7900;
  socket.say({ type: 'poll', poll: poll(8, { closes_ms: 8000, state: 'ended' }) });
  await pass(60);
  expect(state().poll).toMatchObject({ state: 'open', options: [{ votes: 3 }] });
  seen = 8000;
  await pass(60);
  expect(state().poll).toMatchObject({ state: 'ended', options: [{ votes: 8 }] });
});

test('who comes between the end of a poll and its picture may vote, and sees no result', async () => {
  let seen = 2500;
  chat.follow(() => ({ wallMs: Date.parse(STREAM.started_at) + seen }));
  const ended = poll(7, { closes_ms: 8000, state: 'ended' });
  await joined({ room: { poll: ended } });
  expect(state().poll).toMatchObject({ state: 'open', options: [{ votes: 0 }] });
  seen = 8000;
  await pass(60);
  expect(state().poll).toMatchObject({ state: 'ended', options: [{ votes: 7 }] });
});

test('that a poll began and ended is said aloud, and its numbers are not', () => {
  expect(pollNews(null)).toBe('');
  expect(pollNews(poll(3))).toBe('A poll began: Tea?');
  expect(pollNews(poll(4))).toBe(pollNews(poll(3)));
  expect(pollNews(poll(7, { state: 'ended' }))).toBe('The poll ended: Tea? Yes');
  expect(pollNews(poll(0, { state: 'ended' }))).toBe('The poll ended: Tea? no votes');
});

test('polls and questions of another stream wait for no picture of this one', async () => {
  const socket = await joined();
  chat.follow(() => ({ wallMs: Date.parse(STREAM.started_at) + 1000 }));
  const question = { id: 'q', at: '', stream_time_ms: 5000, from: me(), text: 'Why?', state: 'open' };
  socket.say({ type: 'question', question: { ...question, stream: STREAM.id } });
  expect(state().questions).toEqual([]);
  socket.say({ type: 'question', question: { ...question, id: 'old', stream: 's0' } });
  expect(state().questions.map(({ id }) => id)).toEqual(['old']);
  socket.say({ type: 'poll', poll: poll(7, { stream: 's0', closes_ms: 9000, state: 'ended' }) });
  expect(state().poll).toMatchObject({ state: 'ended' });
});

test('what waited for one stream does not wait for the next', async () => {
  const socket = await joined();
  chat.follow(() => ({ wallMs: Date.parse(STREAM.started_at) + 590_000 }));
  socket.say({ type: 'message', message: message(1, { stream_time_ms: 596_000 }) });
  expect(texts()).toEqual([]);
  socket.say({ type: 'stream', stream: { ...STREAM, id: 's2' } });
  expect(texts()).toEqual(['message 1']);
});

test('slow mode counts down after each message, and not for moderators', async () => {
  const socket = await joined({ room: { modes: { slow_seconds: 30 } } });
  chat.say('hi');
  socket.say({ type: 'accepted', ref: sent(socket, 'send')[0]?.ref, id: 9 });
  expect(state().waitUntil).toBe(Date.now() + 30_000);
});

test('a slow mode that gets shorter, or ends, keeps nobody longer', async () => {
  const socket = await joined({ room: { modes: { slow_seconds: 30 } } });
  chat.say('hi');
  socket.say({ type: 'accepted', ref: sent(socket, 'send')[0]?.ref, id: 9 });
  socket.say({ type: 'modes', modes: { slow_seconds: 5 } });
  expect(state().waitUntil).toBe(Date.now() + 5000);
  socket.say({ type: 'modes', modes: {} });
  expect(state().waitUntil).toBe(Date.now());
});

test('a time-out ends for all that is shown when it is over', async () => {
  const until = new Date(Date.now() + 5000).toISOString();
  const restraint = { kind: 'timeout', until, reason: null };
  await joined({ you: { ...(hello().you as object), may_write: false, restraint } });
  expect(state().you).toMatchObject({ may_write: false, restraint: { until } });
  await pass(5000);
  expect(state().you).toMatchObject({ may_write: true, restraint: null });
});

test('a time-out that is taken back leaves nothing to wait for', async () => {
  const socket = await joined();
  chat.say('hi');
  const [first] = sent(socket, 'send');
  socket.say({ type: 'refused', ref: first?.ref, code: 'timed_out', detail: 'no', wait_ms: 600_000 });
  expect(state().rows[0]?.state).toBe('failed');
  expect(state().waitUntil).toBeNull();
});

test('a raid is over when the server says so, and a hello tells what is left of it', async () => {
  const raid = { handle: 'nora', name: 'Nora', in_seconds: 7 };
  const socket = await joined({ room: { raid } });
  expect(state().raid).toMatchObject({ handle: 'nora', at: Date.now() - 100 + 7000 });
  socket.say({ type: 'raid', raid: null });
  expect(state().raid).toBeNull();
});

test('a guest joins anew under a chosen name', async () => {
  const socket = await joined();
  chat.setGuestName('Nora');
  const again = FakeSocket.made.at(-1) as FakeSocket;
  again.open();
  expect(sent(again, 'join')[0]).toMatchObject({ name: 'Nora', guest: sent(socket, 'join')[0]?.guest });
});

test('a guest whose name somebody has is told so, until it has another', async () => {
  const you = { ...(hello().you as object), role: 'guest', name: 'Guest 2436' };
  const socket = await joined({ you });
  expect(state().otherName).toBeNull();
  chat.setGuestName('Ada');
  const again = FakeSocket.made.at(-1) as FakeSocket;
  expect(again).not.toBe(socket);
  again.open();
  again.say(hello({ you, resumed: true }));
  expect(state().otherName).toBe('That name is taken: you are called Guest 2436.');
  chat.setGuestName('Nora');
  expect(state().otherName).toBeNull();
  again.say({ type: 'you', you: { ...you, name: 'Nora' } });
  expect(state().otherName).toBeNull();
});

test('over a scene the result of a poll is shown for a while', async () => {
  await joined();
  const ended = poll(3, { state: 'ended', closes_at: new Date(Date.now() - 14_000).toISOString() });
  expect(isOverScene(ended, chat.leftMs(ended))).toBe(true);
  await pass(2000);
  expect(isOverScene(ended, chat.leftMs(ended))).toBe(false);
  expect(isOverScene({ ...ended, state: 'open' }, chat.leftMs(ended))).toBe(true);
});

test('an answer that a poll has already is found, whatever spaces are around it', () => {
  expect(answerTwice(['Tea', 'Coffee', '', ''])).toBeNull();
  expect(answerTwice(['Tea', 'Black  tea', ' Black tea '])).toBe(2);
});

test('one may speak to who wrote, who asked, and the channel', async () => {
  const socket = await joined({
    messages: [
      message(1),
      message(2, { from: me() }),
      message(3, { from: { ...me(), id: 'a-nora', name: 'Nora' } }),
    ],
  });
  expect(namesKnown(state(), 'ada')).toEqual(['Nora', 'vic', 'ada']);
  const from = { ...me(), id: 'a-ada', name: 'Ada' };
  socket.say({ type: 'question', question: { id: 'q', at: '', from, text: 'Why?', state: 'open' } });
  expect(namesKnown(state(), 'ada')).toEqual(['Nora', 'vic', 'Ada']);
});

test('older messages come before the first', async () => {
  await joined({ messages: Array.from({ length: 200 }, (_, at) => message(at + 100)) });
  older.mockResolvedValueOnce({ items: [message(98), message(99)], hasMore: false });
  await chat.loadOlder();
  expect(texts().slice(0, 3)).toEqual(['message 98', 'message 99', 'message 100']);
  expect(state().hasOlder).toBe(false);
});

test('a line of thanks for oneself is no answer to what one is saying', async () => {
  const socket = await joined();
  chat.say('play it again');
  const tip = { what: 'tip' as const, amount: 700, currency: 'eur', tier: null, quantity: null, claim: null };
  const thanks = { kind: 'support' as const, support: tip, text: 'play it again', from: me() };
  socket.say({ type: 'message', message: message(8, thanks) });
  expect(state().rows.map((row) => [row.state, row.message.kind])).toEqual([
    ['sending', 'text'],
    ['said', 'support'],
  ]);
});

test('pages hear when one’s standing is another, and not when one joins', async () => {
  const socket = await joined();
  expect(state().renewals).toBe(0);
  socket.say({ type: 'you', you: { ...(hello().you as object) } });
  expect(state().renewals).toBe(1);
});

const me = () => ({ id: 'a-me', name: 'me', avatar: null, badges: [] });
const poll = (votes: number, patch: Partial<Poll> = {}): Poll => ({
  id: 'p1',
  question: 'Tea?',
  options: [{ text: 'Yes', votes }],
  opened_ms: 2000,
  closes_ms: null,
  opened_at: '2026-11-26T20:00:02Z',
  closes_at: '2026-11-26T20:02:02Z',
  stream: STREAM.id,
  state: 'open',
  ...patch,
});
