/** Chat: what is said, how it is kept clean, polls and questions. */
import { type Emote, type Message, type Modes, readMessage } from '../chat/protocol';
import { answer, http } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];

export type Restraining = { kind: 'ban' | 'timeout'; seconds?: number; reason?: string };
export type ModAction = Schemas['ChatAction'];
export type UserCard = Schemas['ChatUser'];
export type Term = Schemas['ChatTerm'];

const of = (handle: string) => ({ params: { path: { handle } } });
const ofMessage = (handle: string, message: number) => ({ params: { path: { handle, message } } });
const ofSubject = (handle: string, subject: string) => ({ params: { path: { handle, subject } } });
const ofId = (handle: string, id: string | number) => ({ params: { path: { handle, id: String(id) } } });
const ofCode = (handle: string, code: string) => ({ params: { path: { handle, code } } });

/** As frames bring them, so that all that is shown was read in one place. */
const messagesOf = (items: readonly Schemas['ChatMessage'][]): Message[] =>
  items.map(readMessage).filter((message) => message !== null);

const seen = (seenMs: number | null) => (seenMs === null ? {} : { seen_ms: seenMs });

export const chatApi = {
  room: (handle: string) => answer(http.GET('/api/channels/{handle}/chat', of(handle))),
  setModes: (handle: string, body: Partial<Omit<Modes, 'shield'>>) =>
    answer<Schemas['ChatModes']>(http.PATCH('/api/channels/{handle}/chat', { ...of(handle), body })),
  token: (handle: string) => answer(http.POST('/api/channels/{handle}/chat/tokens', of(handle))),
  messages: async (handle: string, before: number) => {
    const query = { before, limit: 100 };
    const page = await answer<Schemas['ChatMessages']>(
      http.GET('/api/channels/{handle}/chat/messages', { params: { path: { handle }, query } }),
    );
    return { items: messagesOf(page.items), next_before: page.next_before ?? null };
  },
  announce: (handle: string, text: string) =>
    answer(
      http.POST('/api/channels/{handle}/chat/messages', {
        ...of(handle),
        body: { text, kind: 'announcement' },
      }),
    ),
  deleteMessage: (handle: string, id: number) =>
    answer(http.DELETE('/api/channels/{handle}/chat/messages/{message}', ofMessage(handle, id))),
  clear: (handle: string) => answer(http.DELETE('/api/channels/{handle}/chat/messages', of(handle))),
  pin: (handle: string, message: number) =>
    answer(http.PUT('/api/channels/{handle}/chat/pin', { ...of(handle), body: { message } })),
  unpin: (handle: string) => answer(http.DELETE('/api/channels/{handle}/chat/pin', of(handle))),
  restraints: (handle: string) => answer(http.GET('/api/channels/{handle}/chat/restraints', of(handle))),
  restrain: (handle: string, subject: string, body: Restraining) =>
    answer(
      http.PUT('/api/channels/{handle}/chat/restraints/{subject}', { ...ofSubject(handle, subject), body }),
    ),
  release: (handle: string, subject: string) =>
    answer(http.DELETE('/api/channels/{handle}/chat/restraints/{subject}', ofSubject(handle, subject))),
  warn: (handle: string, subject: string, reason: string) =>
    answer(http.POST('/api/channels/{handle}/chat/warnings', { ...of(handle), body: { subject, reason } })),
  terms: (handle: string) => answer(http.GET('/api/channels/{handle}/chat/terms', of(handle))),
  addTerm: (handle: string, term: string, kind: Term['kind']) =>
    answer(http.POST('/api/channels/{handle}/chat/terms', { ...of(handle), body: { term, kind } })),
  removeTerm: (handle: string, id: string) =>
    answer(http.DELETE('/api/channels/{handle}/chat/terms/{id}', ofId(handle, id))),
  settleHold: (handle: string, id: number, approve: boolean) =>
    approve
      ? answer(http.POST('/api/channels/{handle}/chat/holds/{message}/approve', ofMessage(handle, id)))
      : answer(http.POST('/api/channels/{handle}/chat/holds/{message}/deny', ofMessage(handle, id))),
  shield: (handle: string, on: boolean) =>
    on
      ? answer(http.PUT('/api/channels/{handle}/chat/shield', of(handle)))
      : answer(http.DELETE('/api/channels/{handle}/chat/shield', of(handle))),
  user: (handle: string, subject: string) =>
    answer<UserCard>(http.GET('/api/channels/{handle}/chat/users/{subject}', ofSubject(handle, subject))),
  setNotes: (handle: string, subject: string, text: string) =>
    answer(
      http.PUT('/api/channels/{handle}/chat/users/{subject}/notes', {
        ...ofSubject(handle, subject),
        body: { text },
      }),
    ),
  actions: (handle: string, cursor?: string) =>
    answer<Schemas['Page_ChatAction']>(
      http.GET('/api/channels/{handle}/chat/actions', {
        params: { path: { handle }, query: cursor === undefined ? {} : { cursor } },
      }),
    ),
  makePoll: (handle: string, body: { question: string; options: string[]; seconds: number }) =>
    answer(http.POST('/api/channels/{handle}/chat/polls', { ...of(handle), body })),
  endPoll: (handle: string, id: string | number) =>
    answer(http.POST('/api/channels/{handle}/chat/polls/{id}/end', ofId(handle, id))),
  putAwayPoll: (handle: string) =>
    answer(http.DELETE('/api/channels/{handle}/chat/polls/current', of(handle))),
  vote: (handle: string, id: string | number, option: number, seenMs: number | null) =>
    answer(
      http.PUT('/api/channels/{handle}/chat/polls/{id}/vote', {
        ...ofId(handle, id),
        body: { option, ...seen(seenMs) },
      }),
    ),
  askQuestion: (handle: string, text: string, seenMs: number | null) =>
    answer(
      http.POST('/api/channels/{handle}/chat/questions', { ...of(handle), body: { text, ...seen(seenMs) } }),
    ),
  upvote: (handle: string, id: string | number, on: boolean) =>
    on
      ? answer(http.PUT('/api/channels/{handle}/chat/questions/{id}/vote', ofId(handle, id)))
      : answer(http.DELETE('/api/channels/{handle}/chat/questions/{id}/vote', ofId(handle, id))),
  editQuestion: (handle: string, id: string | number, body: Schemas['QuestionEdit']) =>
    answer(http.PATCH('/api/channels/{handle}/chat/questions/{id}', { ...ofId(handle, id), body })),
  emotes: (handle: string) =>
    answer<{ items: Emote[] }>(http.GET('/api/channels/{handle}/chat/emotes', of(handle))),
  removeEmote: (handle: string, code: string) =>
    answer(http.DELETE('/api/channels/{handle}/chat/emotes/{code}', ofCode(handle, code))),
  /** The body is the picture as it is, and it may take long on its way. `tier` 0 is for everybody. */
  setEmote: async (handle: string, code: string, tier: number, picture: File) => {
    const request = fetch(
      `/api/channels/${encodeURIComponent(handle)}/chat/emotes/${encodeURIComponent(code)}?tier=${tier}`,
      { method: 'PUT', headers: { 'Content-Type': picture.type }, body: picture },
    );
    const read = async (response: Response) => ({
      response,
      error: response.ok ? undefined : await response.json().catch(() => undefined),
    });
    await answer(request.then(read));
  },
  raid: (handle: string, to: string) =>
    answer(http.PUT('/api/channels/{handle}/chat/raid', { ...of(handle), body: { to } })),
  cancelRaid: (handle: string) => answer(http.DELETE('/api/channels/{handle}/chat/raid', of(handle))),
  replay: async (id: string, fromMs: number, toMs: number, after: string | null) => {
    const query = { from_ms: fromMs, to_ms: toMs, limit: 500, ...(after === null ? {} : { after }) };
    const page = await answer<Schemas['StreamChat']>(
      http.GET('/api/streams/{id}/chat', { params: { path: { id }, query } }),
    );
    return { items: messagesOf(page.items), next_after: page.next_after ?? null };
  },
};
