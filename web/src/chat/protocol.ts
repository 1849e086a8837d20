/**
 * The frames of docs/CHAT.md as they are on the wire, and a reader of them that trusts nothing: what it
 * cannot make sense of is skipped, so that a newer server breaks no older page.
 */

export type Badge = 'owner' | 'moderator' | 'admin' | 'member' | 'guest';
export type Role = 'reader' | 'guest' | 'viewer' | 'moderator' | 'owner' | 'admin';

export interface Sender {
  /** The account's, or `guest-` and letters. */
  id: string;
  name: string;
  avatar: string | null;
  badges: Badge[];
}

export interface ReplyTo {
  id: number;
  name: string;
  text: string;
}

export interface Message {
  /** Rises within a room. */
  id: number;
  at: string;
  kind: 'text' | 'announcement' | 'support';
  stream: string | null;
  /** How long the stream had been on air in the picture that its writer saw. */
  stream_time_ms: number | null;
  from: Sender;
  text: string;
  reply_to: ReplyTo | null;
  /** Of a line of thanks: what for. The text is what its giver says with it, perhaps nothing. */
  support: Support | null;
}

export interface Support {
  what: 'membership' | 'gift' | 'tip';
  /** Of memberships, 1 to 3. */
  tier: number | null;
  /** Of gifts. */
  quantity: number | null;
  /** Of tips, in the currency's smallest unit. */
  amount: number | null;
  currency: string | null;
  /** The purchase of which gifts were left. */
  claim: string | null;
}

export interface Modes {
  guests: boolean;
  slow_seconds: number;
  /** How long one must have followed; `null` is off. */
  followers_minutes: number | null;
  members_only: boolean;
  emote_only: boolean;
  unique_only: boolean;
  links_blocked: boolean;
  /** 0 to 3. */
  hold_level: number;
  shield: boolean;
}

export interface Restraint {
  kind: 'timeout' | 'ban';
  until: string | null;
  reason: string | null;
}

export interface You {
  id: string | null;
  name: string | null;
  role: Role;
  may_write: boolean;
  may_moderate: boolean;
  restraint: Restraint | null;
}

export interface Poll {
  id: string | number;
  question: string;
  options: { text: string; votes: number }[];
  /** Whose times those in `_ms` are. */
  stream: string | null;
  opened_ms: number | null;
  closes_ms: number | null;
  opened_at: string;
  closes_at: string;
  state: 'open' | 'ended';
}

export interface Question {
  id: string | number;
  at: string;
  stream: string | null;
  stream_time_ms: number | null;
  from: Sender;
  text: string;
  votes: number;
  state: 'open' | 'answered' | 'dismissed';
  on_screen: boolean;
}

export interface Emote {
  code: string;
  url: string;
  width: number;
  height: number;
  animated: boolean;
  /** From which tier of membership on it is to be used, 1 to 3; 0: by everybody. */
  tier: number;
}

export interface Raid {
  handle: string;
  name: string;
  in_seconds: number;
}

export interface StreamFacts {
  id: string;
  started_at: string;
}

export interface RoomFacts {
  modes: Modes;
  pinned: Message | null;
  poll: Poll | null;
  questions: Question[];
  emotes: Emote[];
  raid: Raid | null;
}

export type ServerFrame =
  | {
      type: 'hello';
      now: string;
      stream: StreamFacts | null;
      you: You;
      room: RoomFacts;
      reactions: string[];
      messages: Message[];
      resumed: boolean;
    }
  | { type: 'message'; message: Message }
  | { type: 'accepted' | 'held'; ref: string; id: number | null }
  | { type: 'refused'; ref: string | null; code: string; detail: string; wait_ms: number | null }
  | { type: 'deleted'; ids: number[] }
  | { type: 'cleared'; before: number }
  | { type: 'silenced'; from: string }
  | { type: 'modes'; modes: Modes }
  | { type: 'pinned'; message: Message | null }
  | { type: 'emotes'; emotes: Emote[] }
  | { type: 'poll'; poll: Poll | null }
  | { type: 'question'; question: Question }
  | { type: 'reactions'; stream_time_ms: number | null; counts: Record<string, number> }
  | { type: 'stream'; stream: StreamFacts | null }
  | { type: 'you'; you: You }
  | { type: 'hold'; message: Message }
  | { type: 'hold_settled'; id: number; approved: boolean }
  | { type: 'warned'; reason: string }
  | { type: 'raid'; raid: Raid | null }
  | { type: 'pong' }
  | { type: 'closed'; code: string; detail: string };

export type ClientFrame =
  | { type: 'join'; v: 1; token?: string; guest?: string; name?: string; after?: number }
  | { type: 'send'; ref: string; text: string; reply_to?: number; seen_ms?: number }
  | { type: 'react'; emoji: string; seen_ms?: number }
  | { type: 'ping' };

/** The frames of one packet, in order; an array of them is as good as one. */
export function parseFrames(packet: unknown): ServerFrame[] {
  if (typeof packet !== 'string') return [];
  let value: unknown;
  try {
    value = JSON.parse(packet);
  } catch {
    return [];
  }
  const frames = Array.isArray(value) ? value : [value];
  return frames.map(readFrame).filter((frame) => frame !== null);
}

type Wire = Record<string, unknown>;

const isObject = (value: unknown): value is Wire =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const maybeText = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const num = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;
const list = <T>(value: unknown, read: (item: unknown) => T | null): T[] =>
  Array.isArray(value) ? value.map(read).filter((item) => item !== null) : [];

function readFrame(frame: unknown): ServerFrame | null {
  if (!isObject(frame)) return null;
  const type = frame.type;
  switch (type) {
    case 'hello':
      return readHello(frame);
    case 'message':
    case 'hold': {
      const message = readMessage(frame.message);
      return message && { type, message };
    }
    case 'accepted':
    case 'held':
      return { type, ref: text(frame.ref), id: num(frame.id) };
    case 'refused':
      return {
        type,
        ref: maybeText(frame.ref),
        code: text(frame.code),
        detail: text(frame.detail),
        wait_ms: num(frame.wait_ms),
      };
    case 'deleted':
      return { type, ids: list(frame.ids, num) };
    case 'cleared':
      return { type, before: num(frame.before) ?? 0 };
    case 'silenced':
      return { type, from: text(frame.from) };
    case 'modes':
      return { type, modes: readModes(frame.modes) };
    case 'pinned':
      return { type, message: readMessage(frame.message) };
    case 'emotes':
      return { type, emotes: list(frame.emotes, readEmote) };
    case 'poll':
      return { type, poll: readPoll(frame.poll) };
    case 'question': {
      const question = readQuestion(frame.question);
      return question && { type, question };
    }
    case 'reactions':
      return { type, stream_time_ms: num(frame.stream_time_ms), counts: readCounts(frame.counts) };
    case 'stream':
      return { type, stream: readStream(frame.stream) };
    case 'you':
      return { type, you: readYou(frame.you) };
    case 'hold_settled':
      return { type, id: num(frame.id) ?? 0, approved: frame.approved === true };
    case 'warned':
      return { type, reason: text(frame.reason) };
    case 'raid':
      return { type, raid: readRaid(frame.raid) };
    case 'pong':
      return { type };
    case 'closed':
      return { type, code: text(frame.code), detail: text(frame.detail) };
    default:
      return null;
  }
}

function readHello(frame: Wire): ServerFrame {
  return {
    type: 'hello',
    now: text(frame.now),
    stream: readStream(frame.stream),
    you: readYou(frame.you),
    room: readRoom(frame.room),
    reactions: list(frame.reactions, maybeText),
    messages: list(frame.messages, readMessage),
    resumed: frame.resumed === true,
  };
}

/** What `hello` and the API say of a room. */
function readRoom(value: unknown): RoomFacts {
  const room = isObject(value) ? value : {};
  return {
    modes: readModes(room.modes),
    pinned: readMessage(room.pinned),
    poll: readPoll(room.poll),
    questions: list(room.questions, readQuestion),
    emotes: list(room.emotes, readEmote),
    raid: readRaid(room.raid),
  };
}

export function readMessage(value: unknown): Message | null {
  if (!isObject(value)) return null;
  const id = num(value.id);
  const from = readSender(value.from);
  if (id === null || !from || typeof value.text !== 'string') return null;
  const support = value.kind === 'support' ? readSupport(value.support) : null;
  // Thanks for what this page does not know would be an empty line.
  if (value.kind === 'support' && !support) return null;
  return {
    id,
    at: text(value.at),
    kind: support ? 'support' : value.kind === 'announcement' ? 'announcement' : 'text',
    stream: maybeText(value.stream),
    stream_time_ms: num(value.stream_time_ms),
    from,
    text: value.text,
    reply_to: readReply(value.reply_to),
    support,
  };
}

const GIVEN = new Set(['membership', 'gift', 'tip']);

function readSupport(value: unknown): Support | null {
  if (!isObject(value) || !GIVEN.has(text(value.what))) return null;
  return {
    what: value.what as Support['what'],
    tier: num(value.tier),
    quantity: num(value.quantity),
    amount: num(value.amount),
    currency: maybeCurrency(value.currency),
    claim: maybeText(value.claim),
  };
}

/** Anything else would be no currency to whatever writes amounts. */
const maybeCurrency = (value: unknown): string | null =>
  typeof value === 'string' && /^[a-z]{3}$/i.test(value) ? value : null;

function readReply(value: unknown): ReplyTo | null {
  const id = isObject(value) ? num(value.id) : null;
  return isObject(value) && id !== null ? { id, name: text(value.name), text: text(value.text) } : null;
}

const BADGES = new Set(['owner', 'moderator', 'admin', 'member', 'guest']);
const badge = (value: unknown): Badge | null => (BADGES.has(text(value)) ? (value as Badge) : null);

function readSender(value: unknown): Sender | null {
  if (!isObject(value) || typeof value.id !== 'string') return null;
  return {
    id: value.id,
    name: text(value.name) || 'Somebody',
    avatar: maybeText(value.avatar),
    badges: list(value.badges, badge),
  };
}

export const NO_MODES: Modes = {
  guests: false,
  slow_seconds: 0,
  followers_minutes: null,
  members_only: false,
  emote_only: false,
  unique_only: false,
  links_blocked: false,
  hold_level: 0,
  shield: false,
};

export function readModes(value: unknown): Modes {
  const modes = isObject(value) ? value : {};
  return {
    guests: modes.guests === true,
    slow_seconds: num(modes.slow_seconds) ?? 0,
    followers_minutes: num(modes.followers_minutes),
    members_only: modes.members_only === true,
    emote_only: modes.emote_only === true,
    unique_only: modes.unique_only === true,
    links_blocked: modes.links_blocked === true,
    hold_level: num(modes.hold_level) ?? 0,
    shield: modes.shield === true,
  };
}

const ROLES = new Set(['reader', 'guest', 'viewer', 'moderator', 'owner', 'admin']);

function readYou(value: unknown): You {
  const you = isObject(value) ? value : {};
  const restraint = isObject(you.restraint) ? you.restraint : null;
  return {
    id: maybeText(you.id),
    name: maybeText(you.name),
    role: ROLES.has(text(you.role)) ? (you.role as Role) : 'reader',
    may_write: you.may_write === true,
    may_moderate: you.may_moderate === true,
    restraint: restraint && {
      kind: restraint.kind === 'ban' ? 'ban' : 'timeout',
      until: maybeText(restraint.until),
      reason: maybeText(restraint.reason),
    },
  };
}

/** Numbers and words name polls and questions as well; they are compared and sent back, no more. */
const name = (value: unknown): string | number | null => num(value) ?? (text(value) || null);

function readPoll(value: unknown): Poll | null {
  if (!isObject(value)) return null;
  const id = name(value.id);
  if (id === null) return null;
  return {
    id,
    question: text(value.question),
    options: list(value.options, (option) =>
      isObject(option) ? { text: text(option.text), votes: num(option.votes) ?? 0 } : null,
    ),
    stream: maybeText(value.stream),
    opened_ms: num(value.opened_ms),
    closes_ms: num(value.closes_ms),
    opened_at: text(value.opened_at),
    closes_at: text(value.closes_at),
    state: value.state === 'ended' ? 'ended' : 'open',
  };
}

function readQuestion(value: unknown): Question | null {
  if (!isObject(value)) return null;
  const id = name(value.id);
  const from = readSender(value.from);
  if (id === null || !from) return null;
  return {
    id,
    at: text(value.at),
    stream: maybeText(value.stream),
    stream_time_ms: num(value.stream_time_ms),
    from,
    text: text(value.text),
    votes: num(value.votes) ?? 0,
    state: value.state === 'answered' || value.state === 'dismissed' ? value.state : 'open',
    on_screen: value.on_screen === true,
  };
}

function readEmote(value: unknown): Emote | null {
  if (!isObject(value) || !/^[a-z0-9_]{2,32}$/.test(text(value.code))) return null;
  const url = text(value.url);
  // A picture of ours: another site would learn who reads.
  if (!url.startsWith('/') || url.startsWith('//')) return null;
  return {
    code: text(value.code),
    url,
    width: num(value.width) ?? 28,
    height: num(value.height) ?? 28,
    animated: value.animated === true,
    tier: num(value.tier) ?? 0,
  };
}

function readRaid(value: unknown): Raid | null {
  if (!isObject(value) || !text(value.handle)) return null;
  return {
    handle: text(value.handle),
    name: text(value.name) || text(value.handle),
    in_seconds: num(value.in_seconds) ?? 0,
  };
}

function readStream(value: unknown): StreamFacts | null {
  if (!isObject(value) || Number.isNaN(Date.parse(text(value.started_at)))) return null;
  return { id: text(value.id), started_at: text(value.started_at) };
}

function readCounts(value: unknown): Record<string, number> {
  const counts = isObject(value) ? value : {};
  return Object.fromEntries(
    Object.entries(counts).flatMap(([emoji, count]) => {
      const shown = num(count);
      return shown !== null && shown > 0 ? [[emoji, shown]] : [];
    }),
  );
}
