/**
 * A channel's room as one store: what is said in it, how one stands in it, and what one says oneself.
 * Owns what is shown and what waits; the connection brings frames, the page tells where its picture is.
 *
 * Invariants: a message is shown once, whichever wires brought it; what is said about a later picture
 * than the one that is seen waits, but for one's own; what is deleted is gone from what waits, too.
 */
import { Store } from '../store';
import { sentence } from '../words';
import { Applause } from './applause';
import type { ChannelPair } from './channel';
import { Connection } from './connection';
import { madeUp, rememberedGuest, rememberGuestName } from './guest';
import { Outbox, type Pending, REMEMBERED_MS } from './outbox';
import { preferences } from './preferences';
import type { Message, Poll, Question, ReplyTo, ServerFrame, StreamFacts, You } from './protocol';
import { changed, rowOf, settled, withAppended, withOlder, without, withPlaced } from './rows';
import { socketUrl } from './socket';
import { afterTimeout, otherName } from './standing';
import { type ChatState, initialState, stillOpen, withQuestion } from './state';
import { pictureMs, type Shown, Sync } from './sync';

export interface ChatOptions {
  handle: string;
  /** Of the server. */
  origin: string;
  /** By which who is signed in is known on a data channel; `null` for nobody. */
  token: () => Promise<string | null>;
  /** What was said before a message. */
  older: (before: number) => Promise<{ items: Message[]; hasMore: boolean }>;
}

type Held =
  | { kind: 'message'; message: Message }
  | { kind: 'pinned'; message: Message }
  | { kind: 'poll'; poll: Poll }
  | { kind: 'poll_end'; poll: Poll }
  | { kind: 'question'; question: Question }
  | { kind: 'reactions'; counts: Record<string, number> };

export class Chat {
  readonly handle: string;
  readonly store: Store<ChatState>;
  readonly applause = new Applause();

  readonly #options: ChatOptions;
  readonly #connection: Connection;
  readonly #sync = new Sync<Held>((items) => this.#show(items));
  readonly #outbox = new Outbox();
  /** Perhaps said, perhaps not: under their own ref they are said once. */
  readonly #unanswered = new Map<string, Pending>();
  readonly #guest = rememberedGuest();
  /** The ids of what is shown or waits, or was; of the oldest nothing more is heard. */
  readonly #known = new Set<number>();
  #newest = 0;
  #clockAheadMs = 0;
  #shown: () => Shown = () => null;
  #tick: ReturnType<typeof setInterval> | undefined;
  #loadingOlder = false;

  constructor(options: ChatOptions) {
    this.handle = options.handle;
    this.#options = options;
    this.store = new Store(initialState(this.#guest.name));
    this.#connection = new Connection({
      socketUrl: socketUrl(options.origin, options.handle),
      token: options.token,
      join: () => this.#joining(),
      listener: {
        joined: (by) => this.store.set({ link: { name: 'open', by } }),
        frame: (frame) => this.#heard(frame),
        lost: (retryAt) => this.store.set({ link: { name: 'reconnecting', retryAt } }),
        refused: (_code, detail) =>
          this.store.set({ link: { name: 'closed', words: sentence(detail || 'The chat was closed') } }),
      },
    });
  }

  start(): void {
    if (this.#tick !== undefined) return;
    this.#tick = setInterval(() => this.#look(), LOOK_MS);
    addEventListener('online', this.#online);
    addEventListener('pagehide', this.#leave);
    addEventListener('pageshow', this.#comeBack);
    this.#connection.start();
  }

  stop(): void {
    clearInterval(this.#tick);
    this.#tick = undefined;
    removeEventListener('online', this.#online);
    removeEventListener('pagehide', this.#leave);
    removeEventListener('pageshow', this.#comeBack);
    this.#connection.stop();
    this.applause.stop();
  }

  /** The data channels of what plays, `null` while there are none. */
  offer(pair: ChannelPair | null): void {
    this.#connection.offer(pair);
  }

  /** Where the picture is, asked again and again; without one nothing is held back. */
  follow(shown: () => Shown): void {
    this.#shown = shown;
  }

  retryNow(): void {
    if (this.store.get().link.name === 'closed') this.store.set({ link: { name: 'connecting' } });
    this.#connection.retryNow();
  }

  /** How long the stream had been on air in the picture that is seen. */
  seenMs(): number | null {
    const startedAt = this.store.get().stream?.started_at ?? null;
    return pictureMs(this.#shown(), startedAt, Date.now(), this.#clockAheadMs);
  }

  /** How long one may still vote: by the picture, where there is one, else by the server's clock. */
  leftMs({ stream, closes_ms, closes_at }: Poll): number {
    const seen = this.#picture();
    const closesMs = this.#due(stream, closes_ms);
    if (closesMs !== null && seen !== null) return closesMs - seen;
    return Date.parse(closes_at) - Date.now() - this.#clockAheadMs;
  }

  /** It stands in the list at once; what becomes of it is told there. */
  say(text: string, replyTo: ReplyTo | null = null): void {
    const now = performance.now();
    const pending = this.#outbox.add({
      ref: madeUp(),
      text: text.trim(),
      replyTo,
      seenMs: this.seenMs(),
      madeAt: now,
    });
    const message = this.#own(pending);
    const row = { key: pending.ref, message, state: 'sending' as const, why: null };
    this.store.set({ rows: withAppended(this.store.get().rows, [row]) });
    this.#send(pending);
  }

  /** A failed message once more. */
  tryAgain(key: string): void {
    const row = this.store.get().rows.find((other) => other.key === key);
    if (row?.state !== 'failed') return;
    const doubtful = this.#unanswered.get(key);
    if (doubtful && performance.now() - doubtful.madeAt < REMEMBERED_MS) {
      this.store.set({ rows: changed(this.store.get().rows, key, { state: 'sending', why: null }) });
      this.#send(this.#outbox.add(doubtful));
      return;
    }
    const { text, reply_to } = row.message;
    this.discard(key);
    this.say(text, reply_to);
  }

  /** Takes a message that failed out of the list. */
  discard(key: string): void {
    this.#outbox.settle(key);
    this.#unanswered.delete(key);
    this.store.set({ rows: without(this.store.get().rows, (row) => row.key === key) });
  }

  react(emoji: string): void {
    if (!this.applause.own(emoji, performance.now())) return;
    const seenMs = this.seenMs();
    this.#connection.send({ type: 'react', emoji, ...(seenMs === null ? {} : { seen_ms: seenMs }) });
  }

  /** Joins anew under a name; the guest stays the same. */
  setGuestName(name: string): void {
    this.#guest.name = name;
    rememberGuestName(name);
    this.store.set({ guestName: name, otherName: null });
    this.#connection.rejoin();
  }

  dismissWarning(): void {
    this.store.set({ warned: null });
  }

  /** What was said before the first that is shown. */
  async loadOlder(): Promise<void> {
    const { rows, hasOlder } = this.store.get();
    const first = rows.find(({ state }) => state === 'said')?.message.id;
    if (this.#loadingOlder || !hasOlder || first === undefined) return;
    this.#loadingOlder = true;
    try {
      const { items, hasMore } = await this.#options.older(first);
      for (const { id } of items) this.#know(id);
      this.store.set({ rows: withOlder(this.store.get().rows, items), hasOlder: hasMore });
    } catch {
      // Whoever scrolls up again asks again.
    } finally {
      this.#loadingOlder = false;
    }
  }

  #joining() {
    const { id, name } = this.#guest;
    return { guest: id, ...(name ? { name } : {}), ...(this.#newest > 0 ? { after: this.#newest } : {}) };
  }

  #heard(frame: ServerFrame): void {
    const { store } = this;
    switch (frame.type) {
      case 'hello':
        this.#hello(frame);
        break;
      case 'message':
        this.#take([frame.message]);
        break;
      case 'accepted':
        this.#accepted(frame.ref, frame.id);
        break;
      case 'held':
        this.#held(frame.ref, frame.id);
        break;
      case 'refused':
        this.#refused(frame);
        break;
      case 'deleted': {
        const gone = new Set(frame.ids);
        this.#remove(({ id }) => gone.has(id));
        break;
      }
      case 'cleared':
        this.#remove(({ id }) => id <= frame.before);
        break;
      case 'silenced':
        this.#remove(({ from }) => from.id === frame.from);
        break;
      case 'pinned':
        if (frame.message === null) {
          this.#sync.drop((item) => item.kind === 'pinned');
          store.set({ pinned: null });
        } else this.#hold({ kind: 'pinned', message: frame.message }, this.#dueOf(frame.message));
        break;
      case 'poll':
        this.#poll(frame.poll);
        break;
      case 'question':
        this.#question(frame.question);
        break;
      case 'reactions':
        this.#hold({ kind: 'reactions', counts: frame.counts }, this.#due(null, frame.stream_time_ms));
        break;
      case 'stream':
        this.#stream(frame.stream);
        break;
      case 'hold':
        store.set({
          holds: [...store.get().holds.filter(({ id }) => id !== frame.message.id), frame.message],
        });
        break;
      case 'hold_settled':
        store.set({ holds: store.get().holds.filter(({ id }) => id !== frame.id) });
        break;
      case 'modes':
        store.set({ modes: frame.modes, barred: null });
        this.#slowDownLess();
        break;
      case 'emotes':
        store.set({ emotes: frame.emotes });
        break;
      case 'you':
        this.#isCalled(frame.you);
        store.set({ renewals: store.get().renewals + 1 });
        break;
      case 'warned':
        store.set({ warned: frame.reason });
        break;
      case 'raid':
        store.set({ raid: frame.raid && { ...frame.raid, at: Date.now() + frame.raid.in_seconds * 1000 } });
    }
  }

  #hello(frame: Extract<ServerFrame, { type: 'hello' }>): void {
    const now = Date.parse(frame.now);
    if (!Number.isNaN(now)) this.#clockAheadMs = now - Date.now();
    const { modes, pinned, poll, questions, emotes, raid } = frame.room;
    const { you, stream, reactions } = frame;
    // Not resumed: too much was missed, and what was deleted meanwhile is not known.
    if (!frame.resumed) this.#forget();
    this.#stream(stream);
    this.#isCalled(you);
    this.store.set({ reactions, modes, pinned, emotes, holds: [], barred: null });
    this.store.set({ raid: raid && { ...raid, at: Date.now() + raid.in_seconds * 1000 } });
    if (!frame.resumed) this.store.set({ hasOlder: frame.messages.length >= FIRST_PAGE });
    this.#sync.drop((item) => item.kind !== 'message');
    this.#poll(poll);
    this.store.set({ questions: [] });
    for (const question of questions) this.#question(question);
    this.#take(frame.messages, !frame.resumed);
    for (const pending of this.#outbox.toSend(performance.now())) this.#send(pending);
  }

  #isCalled(you: You): void {
    this.store.set({ you, otherName: otherName(you, this.#guest.name) });
  }

  /** What waits for a picture of the stream before would wait for the wrong one. */
  #stream(stream: StreamFacts | null): void {
    const isOther = stream?.id !== this.store.get().stream?.id;
    this.store.set({ stream });
    if (isOther) this.#sync.reach(null);
  }

  #forget(): void {
    this.#known.clear();
    this.#sync.drop(() => true);
    this.store.set({ rows: without(this.store.get().rows, ({ state }) => state === 'said') });
  }

  /** `isHistory`: of a room that begins anew here, where only what one is saying stands. */
  #take(messages: Message[], isHistory = false): void {
    const shown: Message[] = [];
    const picture = this.#picture();
    for (const message of messages) {
      if (this.#known.has(message.id)) continue;
      this.#know(message.id);
      this.#newest = Math.max(this.#newest, message.id);
      // Nobody says a line of thanks: what one is saying is another, though of the same words.
      if (message.kind !== 'support' && this.#isOwn(message) && this.#settle(message)) continue;
      const dueMs = this.#isOwn(message) ? null : this.#dueOf(message);
      if (dueMs === null || picture === null || dueMs <= picture) shown.push(message);
      else this.#sync.add({ kind: 'message', message }, dueMs, picture);
    }
    const rows = withPlaced(this.store.get().rows, shown.map(rowOf), this.#order(), isHistory);
    this.store.set({ rows, heldBack: this.#sync.size });
  }

  /** What is of another stream waits for no picture of this one. */
  #due(stream: string | null, ms: number | null): number | null {
    const now = this.store.get().stream;
    return now && (stream === null || stream === now.id) ? ms : null;
  }

  #dueOf({ stream, stream_time_ms }: Message | Question): number | null {
    return this.#due(stream, stream_time_ms);
  }

  /** In the time of the stream, where that is what one goes by; else in the order of all that is said. */
  #order(): (message: Message, other: Message) => boolean {
    if (this.#picture() === null) return (message, other) => message.id < other.id;
    return (message, other) => {
      const [due, otherDue] = [this.#dueOf(message), this.#dueOf(other)];
      if (due === null && otherDue === null) return message.id < other.id;
      return due !== null && otherDue !== null && due < otherDue;
    };
  }

  #know(id: number): void {
    this.#known.add(id);
    if (this.#known.size <= MOST_KNOWN) return;
    const oldest = [...this.#known].sort((a, b) => a - b).slice(0, MOST_KNOWN / 2);
    for (const each of oldest) this.#known.delete(each);
  }

  #isOwn({ from }: Message): boolean {
    const { you } = this.store.get();
    return you?.id != null && from.id === you.id;
  }

  /** It stands in the list already, as what one is saying, or as what waited for a moderator. */
  #settle(message: Message): boolean {
    const pending = this.#outbox.saying(message.text);
    const { rows } = this.store.get();
    const key =
      pending?.ref ??
      rows.find(
        (row) => row.state === 'held' && (row.message.id === message.id || row.message.text === message.text),
      )?.key;
    if (key === undefined) return false;
    this.#outbox.settle(key);
    this.store.set({ rows: settled(rows, key, message) });
    if (pending) this.#slowDown();
    return true;
  }

  #accepted(ref: string, id: number | null): void {
    const pending = this.#outbox.settle(ref);
    const row = this.store.get().rows.find(({ key }) => key === ref);
    if (!pending || !row || id === null) return;
    this.#know(id);
    this.#newest = Math.max(this.#newest, id);
    this.store.set({ rows: settled(this.store.get().rows, ref, { ...row.message, id }) });
    this.#slowDown();
  }

  #held(ref: string, id: number | null): void {
    this.#outbox.settle(ref);
    const { rows } = this.store.get();
    const message = rows.find(({ key }) => key === ref)?.message;
    if (!message) return;
    this.store.set({
      rows: changed(rows, ref, { state: 'held', message: { ...message, id: id ?? message.id } }),
    });
  }

  /** The slow mode's own countdown. */
  #slowDown(): void {
    const { modes, you } = this.store.get();
    if (modes.slow_seconds > 0 && !you?.may_moderate)
      this.store.set({ waitUntil: Date.now() + modes.slow_seconds * 1000 });
  }

  /** Nobody waits longer than the mode has it now. */
  #slowDownLess(): void {
    const { modes, waitUntil } = this.store.get();
    if (waitUntil === null) return;
    this.store.set({ waitUntil: Math.min(waitUntil, Date.now() + modes.slow_seconds * 1000) });
  }

  #refused({ ref, detail, code, wait_ms }: Extract<ServerFrame, { type: 'refused' }>): void {
    const words = sentence(detail || code);
    // A time-out is counted by what is told of oneself, and may be taken back.
    if (wait_ms !== null && code !== 'timed_out') this.store.set({ waitUntil: Date.now() + wait_ms });
    if (code === 'followers_only' || code === 'members_only') this.store.set({ barred: code });
    if (ref === null) this.store.set({ refused: { words, at: Date.now() } });
    else this.#fail(ref, words);
  }

  #fail(ref: string, why: string): void {
    this.#outbox.settle(ref);
    this.store.set({ rows: changed(this.store.get().rows, ref, { state: 'failed', why }) });
  }

  #remove(gone: (message: Message) => boolean): void {
    this.#sync.drop((item) => item.kind === 'message' && gone(item.message));
    const { rows, pinned, holds } = this.store.get();
    const isGone = pinned !== null && gone(pinned);
    this.store.set({
      rows: without(rows, ({ state, message }) => (state === 'said' || state === 'held') && gone(message)),
      ...(isGone ? { pinned: null } : {}),
      ...(holds.some(gone) ? { holds: holds.filter((message) => !gone(message)) } : {}),
      heldBack: this.#sync.size,
    });
  }

  /**
   * A new one waits for its picture; of one that is seen, or waits, the newer numbers count. That it has
   * ended, and how, waits for the picture in which it does: until then one may vote.
   */
  #poll(poll: Poll | null): void {
    if (poll === null) {
      this.#sync.drop(({ kind }) => kind === 'poll' || kind === 'poll_end');
      this.store.set({ poll });
    } else if (poll.state === 'open') this.#openPoll(poll);
    else this.#endPoll(poll);
  }

  #openPoll(poll: Poll): void {
    if (this.#sync.replace(isPoll(poll, 'poll'), { kind: 'poll', poll })) return;
    if (this.store.get().poll?.id === poll.id) this.store.set({ poll });
    else this.#hold({ kind: 'poll', poll }, this.#due(poll.stream, poll.opened_ms));
  }

  #endPoll(poll: Poll): void {
    const { poll: shown } = this.store.get();
    const end: Held = { kind: 'poll_end', poll };
    if (this.#sync.replace(isPoll(poll, 'poll_end'), end)) return;
    const dueMs = this.#due(poll.stream, poll.closes_ms);
    const picture = this.#picture();
    const isKnown = shown?.id === poll.id && shown.state === 'ended';
    const isSeen = isKnown || dueMs === null || picture === null || dueMs <= picture;
    // Its end may be another than the one that was meant, as where it is ended by hand.
    if (isSeen) this.#sync.drop(isPoll(poll, 'poll'));
    else if (!this.#sync.has(isPoll(poll, 'poll'))) this.#openPoll(stillOpen(poll, shown));
    this.#hold(end, isSeen ? null : dueMs);
  }

  #question(question: Question): void {
    const isKnown = this.store.get().questions.some(({ id }) => id === question.id);
    if (this.#sync.replace(isQuestion(question), { kind: 'question', question })) return;
    if (isKnown) this.#show([{ kind: 'question', question }]);
    else this.#hold({ kind: 'question', question }, this.#dueOf(question));
  }

  #hold(item: Held, dueMs: number | null): void {
    this.#sync.add(item, dueMs, this.#picture());
  }

  /** `null` as well where one does not want to wait. */
  #picture(): number | null {
    return preferences.get().sync ? this.seenMs() : null;
  }

  #show(items: Held[]): void {
    const messages = items.filter((item) => item.kind === 'message').map(({ message }) => rowOf(message));
    this.store.set({ rows: withAppended(this.store.get().rows, messages), heldBack: this.#sync.size });
    for (const item of items) {
      if (item.kind === 'poll' || item.kind === 'poll_end') this.store.set({ poll: item.poll });
      else if (item.kind === 'pinned') this.store.set({ pinned: item.message });
      else if (item.kind === 'question')
        this.store.set({ questions: withQuestion(this.store.get().questions, item.question) });
      else if (item.kind === 'reactions') this.applause.others(item.counts, performance.now());
    }
  }

  #look(): void {
    this.#sync.reach(this.#picture());
    const { heldBack, you } = this.store.get();
    // A time-out is over for all that is shown, by the server's clock.
    const free = you && afterTimeout(you, Date.now() + this.#clockAheadMs);
    if (free !== you) this.store.set({ you: free });
    if (heldBack !== this.#sync.size) this.store.set({ heldBack: this.#sync.size });
    const now = performance.now();
    for (const pending of this.#outbox.overdue(now)) {
      this.#unanswered.set(pending.ref, pending);
      this.#fail(pending.ref, 'The server did not answer.');
    }
    this.applause.look(now);
  }

  #send({ ref, text, replyTo, seenMs, madeAt }: Pending): void {
    const now = performance.now();
    if (now - madeAt > REMEMBERED_MS) return;
    const sent = this.#connection.send({
      type: 'send',
      ref,
      text,
      ...(replyTo ? { reply_to: replyTo.id } : {}),
      ...(seenMs === null ? {} : { seen_ms: seenMs }),
    });
    if (sent) this.#outbox.sent(ref, now);
  }

  /** As it will look; the server's own words take its place. */
  #own({ text, replyTo, seenMs }: Pending): Message {
    const { you, guestName, stream } = this.store.get();
    const role = you?.role;
    const badge = role === 'owner' || role === 'moderator' || role === 'admin' || role === 'guest';
    return {
      id: Number.MAX_SAFE_INTEGER,
      at: new Date(Date.now() + this.#clockAheadMs).toISOString(),
      kind: 'text',
      stream: stream?.id ?? null,
      stream_time_ms: seenMs,
      from: {
        id: you?.id ?? '',
        name: you?.name ?? guestName ?? 'You',
        avatar: null,
        badges: badge ? [role] : [],
      },
      text,
      reply_to: replyTo,
      support: null,
    };
  }

  readonly #online = () => {
    if (this.store.get().link.name !== 'closed') this.#connection.retryNow();
  };

  /** With an open socket the page could not rest in the back/forward cache. */
  readonly #leave = () => this.#connection.stop();

  readonly #comeBack = (event: PageTransitionEvent) => {
    if (event.persisted) this.#connection.start();
  };
}

const isPoll = (poll: Poll, kind: 'poll' | 'poll_end') => (item: Held) =>
  item.kind === kind && item.poll.id === poll.id;
const isQuestion = (question: Question) => (item: Held) =>
  item.kind === 'question' && item.question.id === question.id;

/** Ten times as fine as a message has to fit its picture. */
const LOOK_MS = 50;
/** Far more than come twice: the last ones, over another wire. */
const MOST_KNOWN = 20_000;
/** What `hello` brings. */
const FIRST_PAGE = 200;
