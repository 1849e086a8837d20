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
import type { Row } from './rows';
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
  /** What the guest of this browser is called; `null` until there is a name. */
  guestName: string | null;
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
    guestName,
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

/** With a question in its place, or behind the others. */
export function withQuestion(questions: readonly Question[], question: Question): readonly Question[] {
  const known = questions.some(({ id }) => id === question.id);
  return known
    ? questions.map((other) => (other.id === question.id ? question : other))
    : [...questions, question];
}
