/** The list of a chat as it is shown: pure changes of it. A row keeps its key for as long as it is there. */
import type { Message } from './protocol';

export interface Row {
  key: string;
  message: Message;
  /** `sending`, `held` and `failed` are one's own. */
  state: 'said' | 'sending' | 'held' | 'failed';
  /** Why it failed. */
  why: string | null;
}

/** Older rows are let go of; who wants them scrolls up and asks for them. */
export const MOST_ROWS = 5000;

export const rowOf = (message: Message): Row => ({
  key: `m${message.id}`,
  message,
  state: 'said',
  why: null,
});

export function withAppended(rows: readonly Row[], more: readonly Row[]): readonly Row[] {
  if (more.length === 0) return rows;
  const all = [...rows, ...more];
  return all.length > MOST_ROWS ? all.slice(all.length - MOST_ROWS) : all;
}

/**
 * What comes, each where it belongs: at the end, but for what another server was told of late. One's own
 * message that has not been said yet stays where it stands; `isHistory` comes before it.
 */
export function withPlaced(
  rows: readonly Row[],
  more: readonly Row[],
  isBefore: (message: Message, other: Message) => boolean,
  isHistory = false,
): readonly Row[] {
  const isAfter = (message: Message, row: Row) =>
    row.state === 'said' ? !isBefore(message, row.message) : !isHistory;
  const place = (message: Message, all: readonly Row[]) =>
    all.findLastIndex((row) => isAfter(message, row)) + 1;
  if (more.every(({ message }) => place(message, rows) === rows.length)) return withAppended(rows, more);
  const all = [...rows];
  for (const row of more) all.splice(place(row.message, all), 0, row);
  return all.slice(-MOST_ROWS);
}

/** What was asked for from before the first; nothing is let go of for it. */
export function withOlder(rows: readonly Row[], older: readonly Message[]): readonly Row[] {
  const known = new Set(rows.map(({ message }) => message.id));
  const fresh = older.filter(({ id }) => !known.has(id)).map(rowOf);
  return fresh.length > 0 ? [...fresh, ...rows].slice(0, MOST_ROWS) : rows;
}

export function without(rows: readonly Row[], gone: (row: Row) => boolean): readonly Row[] {
  return rows.some(gone) ? rows.filter((row) => !gone(row)) : rows;
}

export function changed(rows: readonly Row[], key: string, patch: Partial<Row>): readonly Row[] {
  return rows.map((row) => (row.key === key ? { ...row, ...patch } : row));
}

/** One's own message under the id that the server gave it: it stays where it stands. */
export function settled(rows: readonly Row[], key: string, message: Message): readonly Row[] {
  const twice = (row: Row) => row.key !== key && row.state === 'said' && row.message.id === message.id;
  return changed(without(rows, twice), key, { message, state: 'said', why: null });
}

/** Who wrote, the last one first, each once. */
export function namesIn(rows: readonly Row[]): string[] {
  const names = new Set<string>();
  for (let at = rows.length - 1; at >= 0 && names.size < 200; at -= 1) {
    const row = rows[at];
    if (row) names.add(row.message.from.name);
  }
  return [...names];
}
