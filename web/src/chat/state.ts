/** What a person sees of a room, as one value. */
import {
  type Emote,
  type Message,
  type Modes,
  NO_MODES,
  type Poll,
  type Question,
  type Raid,
  type StreamFacts,
  type You,
} from './protocol';
import { namesIn, type Row } from './rows';
import { readable } from './text';

export type Link =
  | { name: 'connecting' }
  | { name: 'open'; by: 'data' | 'socket' }
  /** On the Date.now() clock. */
  | { name: 'reconnecting'; retryAt: number }
  | { name: 'closed'; words: string };

export interface ChatState {
  link: Link;
  you: You | null;
  /** How often it was told that one's standing is another: what was asked about it elsewhere may be old. */
  renewals: number;
  /** What the guest of this browser is called; `null` until there is a name. */
  guestName: string | null;
  /** What is to be told of the guest's name, where it is another than was wished. */
  otherName: string | null;
  stream: StreamFacts | null;
  /** Shown, oldest first. */
  rows: readonly Row[];
  /** There may be more before the first. */
  hasOlder: boolean;
  /** How many wait for the picture. */
  heldBack: number;
  modes: Modes;
  pinned: Message | null;
  poll: Poll | null;
  questions: readonly Question[];
  emotes: readonly Emote[];
  /** What one may react with. */
  reactions: readonly string[];
  raid: (Raid & { at: number }) | null;
  /** To moderators: what waits for them. */
  holds: readonly Message[];
  /** Until when the slow mode, or haste, keeps one from writing; on the Date.now() clock. */
  waitUntil: number | null;
  /** The mode that kept one from writing, until modes change. */
  barred: string | null;
  /** What a moderator told one, until it is read. */
  warned: string | null;
  /** What became of a reaction or of something else that is no message. */
  refused: { words: string; at: number } | null;
}

export function initialState(guestName: string | null): ChatState {
  return {
    link: { name: 'connecting' },
    you: null,
    renewals: 0,
    guestName,
    otherName: null,
    stream: null,
    rows: [],
    hasOlder: false,
    heldBack: 0,
    modes: NO_MODES,
    pinned: null,
    poll: null,
    questions: [],
    emotes: [],
    reactions: [],
    raid: null,
    holds: [],
    waitUntil: null,
    barred: null,
    warned: null,
    refused: null,
  };
}

/** As it was before it ended: what has come out is not told before the picture is as far. */
export function stillOpen(ended: Poll, shown: Poll | null): Poll {
  const options = ended.options.map(({ text }) => ({ text, votes: 0 }));
  return { ...ended, state: 'open', options: shown?.id === ended.id ? shown.options : options };
}

/** What is to be said aloud of a poll: not its numbers, which change all the time. */
export function pollNews(poll: Poll | null): string {
  if (!poll) return '';
  const about = readable(poll.question);
  if (poll.state === 'open') return `A poll began: ${about}`;
  const most = Math.max(0, ...poll.options.map(({ votes }) => votes));
  const first = poll.options.filter(({ votes }) => most > 0 && votes === most);
  const result = first.map(({ text }) => readable(text)).join(', ') || 'no votes';
  return `The poll ended: ${about} ${result}`;
}

/** Which answer of a poll stands there before it already; the server takes each once. */
export function answerTwice(options: readonly string[]): number | null {
  const plain = options.map((option) => option.trim().replace(/\s+/g, ' '));
  const at = plain.findIndex((option, own) => option !== '' && plain.indexOf(option) < own);
  return at < 0 ? null : at;
}

/** Over a scene a result is shown for a while, and then makes room. `leftMs` is what `Chat.leftMs` says. */
export const isOverScene = (poll: Poll, leftMs: number): boolean =>
  poll.state === 'open' || leftMs > -RESULT_MS;

const RESULT_MS = 15_000;

/** Whom one may speak to: who wrote, the last one first, then whoever else is known here. */
export function namesKnown({ rows, pinned, questions, you }: ChatState, handle: string): string[] {
  const others = [...(pinned ? [pinned] : []), ...questions].map(({ from }) => from.name);
  const names = new Set([...namesIn(rows), ...others]);
  const isNamed = [...names].some((name) => name.toLowerCase() === handle.toLowerCase());
  if (!isNamed) names.add(handle);
  if (you?.name) names.delete(you.name);
  return [...names];
}

/** With a question in its place, or behind the others. */
export function withQuestion(questions: readonly Question[], question: Question): readonly Question[] {
  const known = questions.some(({ id }) => id === question.id);
  return known
    ? questions.map((other) => (other.id === question.id ? question : other))
    : [...questions, question];
}
