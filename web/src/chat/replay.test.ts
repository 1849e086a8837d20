import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { message } from './fakes';
import type { Message } from './protocol';
import { Replay, streamTimeMs } from './replay';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** One message every ten seconds. */
const said: Message[] = Array.from({ length: 60 }, (_, at) =>
  message(at + 1, { stream_time_ms: at * 10_000 }),
);

function replayOf(pageSize = 100) {
  const load = vi.fn(async (fromMs: number, toMs: number, after: string | null) => {
    const within = said.filter(
      ({ id, stream_time_ms }) =>
        (stream_time_ms ?? 0) >= fromMs && (stream_time_ms ?? 0) < toMs && id > Number(after ?? 0),
    );
    const items = within.slice(0, pageSize);
    return { items, next_after: within.length > pageSize ? String(items.at(-1)?.id) : null };
  });
  return { replay: new Replay(load), load };
}

const shown = (replay: Replay) => replay.store.get().rows.map(({ message: { id } }) => id);
const settle = () => vi.advanceTimersByTimeAsync(0);

test('what was said comes as the recording reaches it', async () => {
  const { replay, load } = replayOf();
  replay.reach(0);
  await settle();
  expect(shown(replay)).toEqual([1]);
  replay.reach(25_000);
  expect(shown(replay)).toEqual([1, 2, 3]);
  expect(load).toHaveBeenCalledTimes(1);
  replay.reach(50_000);
  await settle();
  expect(load, 'the next window is asked for ahead of the picture').toHaveBeenCalledTimes(2);
  replay.reach(61_000);
  expect(shown(replay)).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test('a jump shows what was said before it, and not what comes after', async () => {
  const { replay } = replayOf();
  replay.reach(0);
  await settle();
  replay.reach(305_000);
  await settle();
  expect(shown(replay)).toEqual([25, 26, 27, 28, 29, 30, 31]);
  replay.reach(125_000);
  await settle();
  expect(shown(replay)).toEqual([7, 8, 9, 10, 11, 12, 13]);
});

test('a window of many pages is read to its end', async () => {
  const { replay, load } = replayOf(2);
  replay.reach(59_000 - 20_000);
  await settle();
  expect(shown(replay)).toEqual([1, 2, 3, 4]);
  expect(load).toHaveBeenCalledTimes(3);
});

test('a minute of thousands is read whole, the newest 5,000 are kept, and only what is new is added', async () => {
  const many = Array.from({ length: 12_000 }, (_, at) => message(at + 1, { stream_time_ms: at * 5 }));
  const load = vi.fn(async (fromMs: number, _toMs: number, after: string | null) => {
    const from = Number(after ?? 0);
    const items = fromMs === 0 ? many.slice(from, from + 500) : [];
    return { items, next_after: items.length === 500 ? String(from + 500) : null };
  });
  const replay = new Replay(load);
  replay.reach(29_000);
  await settle();
  replay.reach(59_000);
  expect(load).toHaveBeenCalledTimes(26);
  const { rows } = replay.store.get();
  expect([rows.length, rows[0]?.message.id, rows.at(-1)?.message.id]).toEqual([5000, 6802, 11_801]);
  replay.reach(59_004);
  expect(replay.store.get().rows, 'nothing new, nothing made anew').toBe(rows);
  replay.reach(59_005);
  expect(shown(replay).at(-1)).toBe(11_802);
  expect(replay.store.get().rows[0]).toBe(rows[1]);
});

test('pages that do not go on are not asked for without end', async () => {
  const load = vi.fn(async () => ({ items: [], next_after: '7' }));
  const replay = new Replay(load);
  replay.reach(0);
  await settle();
  expect(load).toHaveBeenCalledTimes(2);
  expect(replay.store.get().state).toBe('failed');
});

test('a window that cannot be loaded is asked for again after a while', async () => {
  const load = vi
    .fn()
    .mockRejectedValueOnce(new Error('away'))
    .mockResolvedValue({ items: [], next_after: null });
  const replay = new Replay(load);
  replay.reach(0);
  await settle();
  expect(replay.store.get().state).toBe('failed');
  replay.reach(250);
  expect(load).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(6000);
  replay.reach(6250);
  await settle();
  expect(replay.store.get()).toMatchObject({ state: 'ready', isQuiet: true });
});

test('the moment is the playlist’s, or the position where it tells none', () => {
  const started = '2026-11-26T20:00:00Z';
  expect(streamTimeMs(5000, Date.parse(started) + 7000, started)).toBe(7000);
  expect(streamTimeMs(5000, null, started)).toBe(5000);
  expect(streamTimeMs(5000, 0, started)).toBe(5000);
});

test('beside a part of a stream it begins where the part does', () => {
  const started = '2026-11-26T20:00:00Z';
  const beganMs = 600_000;
  expect(streamTimeMs(5000, null, started, beganMs)).toBe(605_000);
  expect(streamTimeMs(0, Date.parse(started) + beganMs, started, beganMs)).toBe(600_000);
});
