/** Chat: what is said, how it is kept clean, polls and questions. */
import type { Emote, Message, Modes, Poll, Question, RoomFacts, You } from '../chat/protocol';
import { answer } from './client';

export interface Restrained {
  subject: string;
  name: string;
  kind: 'ban' | 'timeout';
  until: string | null;
  reason: string | null;
  by: string | null;
  at: string;
}

export interface Term {
  id: string | number;
  term: string;
  kind: 'blocked' | 'allowed' | 'held';
}

export interface ModAction {
  id: string | number;
  at: string;
  by: string | null;
  kind: string;
  /** The id of an account or of a guest. */
  subject: string | null;
  subject_name: string | null;
  message: number | null;
  reason: string | null;
  until: string | null;
}

export interface UserCard {
  subject: string;
  name: string;
  account_created_at: string | null;
  follows_since: string | null;
  messages: number;
  recent: Message[];
  actions: ModAction[];
  restraint: { kind: 'ban' | 'timeout'; until: string | null; reason: string | null } | null;
  notes: string;
}

export type Restraining = { kind: 'ban' | 'timeout'; seconds?: number; reason?: string };

interface Page<T> {
  items: T[];
}

/** As the generated client asks, until the schema has these paths. */
async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const request = fetch(`/api${path}`, {
    method,
    cache: 'no-store',
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    ...(body === undefined
      ? {}
      : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return answer<T>(request.then(read<T>));
}

async function read<T>(response: Response): Promise<{ data?: T; error?: unknown; response: Response }> {
  const body = response.status === 204 ? undefined : await response.json().catch(() => undefined);
  return response.ok ? { data: body as T, response } : { error: body, response };
}

const query = (values: Record<string, string | number | null | undefined>): string => {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  return given.length > 0
    ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`
    : '';
};

const room = (handle: string, path = ''): string => `/channels/${encodeURIComponent(handle)}/chat${path}`;
const part = encodeURIComponent;

export const chatApi = {
  room: (handle: string) => ask<RoomFacts & { you: You }>('GET', room(handle)),
  setModes: (handle: string, modes: Partial<Modes>) => ask<Modes>('PATCH', room(handle), modes),
  token: (handle: string) => ask<{ token: string; expires_at: string }>('POST', room(handle, '/tokens')),
  messages: (handle: string, before: number) =>
    ask<Page<Message> & { next_before: number | null }>(
      'GET',
      room(handle, `/messages${query({ before, limit: 100 })}`),
    ),
  announce: (handle: string, text: string) =>
    ask<Message>('POST', room(handle, '/messages'), { text, kind: 'announcement' }),
  deleteMessage: (handle: string, id: number) => ask<void>('DELETE', room(handle, `/messages/${id}`)),
  clear: (handle: string) => ask<void>('DELETE', room(handle, '/messages')),
  pin: (handle: string, message: number) => ask<void>('PUT', room(handle, '/pin'), { message }),
  unpin: (handle: string) => ask<void>('DELETE', room(handle, '/pin')),
  restraints: (handle: string) => ask<Page<Restrained>>('GET', room(handle, '/restraints')),
  restrain: (handle: string, subject: string, how: Restraining) =>
    ask<void>('PUT', room(handle, `/restraints/${part(subject)}`), how),
  release: (handle: string, subject: string) =>
    ask<void>('DELETE', room(handle, `/restraints/${part(subject)}`)),
  warn: (handle: string, subject: string, reason: string) =>
    ask<void>('POST', room(handle, '/warnings'), { subject, reason }),
  terms: (handle: string) => ask<Page<Term>>('GET', room(handle, '/terms')),
  addTerm: (handle: string, term: string, kind: Term['kind']) =>
    ask<Term>('POST', room(handle, '/terms'), { term, kind }),
  removeTerm: (handle: string, id: Term['id']) => ask<void>('DELETE', room(handle, `/terms/${id}`)),
  holds: (handle: string) => ask<Page<Message>>('GET', room(handle, '/holds')),
  settleHold: (handle: string, id: number, approve: boolean) =>
    ask<void>('POST', room(handle, `/holds/${id}/${approve ? 'approve' : 'deny'}`)),
  shield: (handle: string, on: boolean) => ask<Modes>(on ? 'PUT' : 'DELETE', room(handle, '/shield')),
  user: (handle: string, subject: string) => ask<UserCard>('GET', room(handle, `/users/${part(subject)}`)),
  setNotes: (handle: string, subject: string, text: string) =>
    ask<void>('PUT', room(handle, `/users/${part(subject)}/notes`), { text }),
  actions: (handle: string, cursor?: string) =>
    ask<Page<ModAction> & { next_cursor: string | null }>(
      'GET',
      room(handle, `/actions${query({ cursor })}`),
    ),
  makePoll: (handle: string, poll: { question: string; options: string[]; seconds: number }) =>
    ask<Poll>('POST', room(handle, '/polls'), poll),
  endPoll: (handle: string, id: Poll['id']) => ask<Poll>('POST', room(handle, `/polls/${id}/end`)),
  putAwayPoll: (handle: string) => ask<void>('DELETE', room(handle, '/polls/current')),
  vote: (handle: string, id: Poll['id'], option: number, seenMs: number | null) =>
    ask<void>('PUT', room(handle, `/polls/${id}/vote`), seen({ option }, seenMs)),
  askQuestion: (handle: string, text: string, seenMs: number | null) =>
    ask<Question>('POST', room(handle, '/questions'), seen({ text }, seenMs)),
  upvote: (handle: string, id: Question['id'], on: boolean) =>
    ask<void>(on ? 'PUT' : 'DELETE', room(handle, `/questions/${id}/vote`)),
  editQuestion: (handle: string, id: Question['id'], edit: Partial<Pick<Question, 'state' | 'on_screen'>>) =>
    ask<Question>('PATCH', room(handle, `/questions/${id}`), edit),
  emotes: (handle: string) => ask<Page<Emote>>('GET', room(handle, '/emotes')),
  removeEmote: (handle: string, code: string) => ask<void>('DELETE', room(handle, `/emotes/${part(code)}`)),
  /** It may take long on its way, so that it has no time limit of ours. */
  setEmote: (handle: string, code: string, picture: File) =>
    answer<Emote>(
      fetch(`/api${room(handle, `/emotes/${part(code)}`)}`, {
        method: 'PUT',
        headers: { 'Content-Type': picture.type },
        body: picture,
      }).then(read<Emote>),
    ),
  raid: (handle: string, to: string) => ask<void>('PUT', room(handle, '/raid'), { to }),
  cancelRaid: (handle: string) => ask<void>('DELETE', room(handle, '/raid')),
  replay: (stream: string, fromMs: number, toMs: number, after: string | number | null) =>
    ask<Page<Message> & { next_after: string | number | null }>(
      'GET',
      `/streams/${part(stream)}/chat${query({ from_ms: fromMs, to_ms: toMs, after, limit: 200 })}`,
    ),
};

const seen = <T extends object>(body: T, seenMs: number | null) =>
  seenMs === null ? body : { ...body, seen_ms: seenMs };

/** A server that takes a request and says nothing counts as not reached after this. */
const ANSWER_WITHIN_MS = 8000;
