/**
 * How pages ask the server. A refusal is an `ApiError` in the server's words. The requests of a page stand
 * in `api` here or in the file of their domain beside this one.
 */
import createClient from 'openapi-fetch';
import { sentence } from '../words';
import type { paths } from './schema';
import type { FieldProblem, Problem, RecordingEdit } from './types';

export class ApiError extends Error {
  /** 0: the server was not reached. */
  readonly status: number;
  readonly code: string | null;
  /** The fields of the request that do not hold what they must. */
  readonly fields: readonly FieldProblem[];

  constructor(problem: Problem) {
    super(sentence(problem.detail ?? problem.title ?? `The server answered ${problem.status}`));
    this.name = 'ApiError';
    this.status = problem.status;
    this.code = problem.code ?? null;
    this.fields = problem.errors ?? [];
  }
}

/** What is wrong with a field of a refused request; `undefined` for nothing. */
export function fieldError(error: Error | null, field: string): string | undefined {
  const found = error instanceof ApiError && error.fields.find((problem) => problem.field === field);
  return found ? sentence(found.detail) : undefined;
}

/** A server that takes a request and says nothing counts as not reached after this. */
const ANSWER_WITHIN_MS = 8000;

export const http = createClient<paths>({ cache: 'no-store', fetch: within(ANSWER_WITHIN_MS) });

/** How a request is made that must be answered within a time; for those that take the server long. */
export function within(ms: number): (request: Request) => Promise<Response> {
  return (request) => fetch(request, { signal: AbortSignal.timeout(ms) });
}

/** Waits for an answer; anything but success is thrown. */
export async function answer<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await call.catch(() => {
    throw new ApiError({
      status: 0,
      detail: 'The server cannot be reached. Check your connection and try again.',
    });
  });
  if (!response.ok) throw new ApiError({ ...(error as Partial<Problem>), status: response.status });
  return data as T;
}

const of = (handle: string) => ({ params: { path: { handle } } });
const ofRecording = (id: string) => ({ params: { path: { id } } });
const ofKey = (handle: string, id: string) => ({ params: { path: { handle, id } } });

export const api = {
  setupNeeded: () => answer(http.GET('/api/setup')),
  setUp: (body: { token: string; name: string; password: string; handle: string }) =>
    answer(http.POST('/api/setup', { body })),
  signOut: () => answer(http.POST('/api/auth/logout')),
  /** `null` when nobody is signed in. */
  session: () =>
    answer(http.GET('/api/session')).catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }),
  liveChannels: () => answer(http.GET('/api/channels', { params: { query: { live: true } } })),
  channel: (handle: string) => answer(http.GET('/api/channels/{handle}', of(handle))),
  setRecord: (handle: string, record: boolean) =>
    answer(http.PATCH('/api/channels/{handle}', { ...of(handle), body: { record } })),
  recordings: (handle: string, cursor?: string) =>
    answer(
      http.GET('/api/channels/{handle}/recordings', {
        params: { path: { handle }, query: cursor === undefined ? {} : { cursor } },
      }),
    ),
  recording: (id: string) => answer(http.GET('/api/recordings/{id}', ofRecording(id))),
  editRecording: (id: string, body: RecordingEdit) =>
    answer(http.PATCH('/api/recordings/{id}', { ...ofRecording(id), body })),
  deleteRecording: (id: string) => answer(http.DELETE('/api/recordings/{id}', ofRecording(id))),
  makeMp4: (id: string) => answer(http.POST('/api/recordings/{id}/mp4', ofRecording(id))),
  createChannel: (body: { handle: string; name: string }) => answer(http.POST('/api/channels', { body })),
  ingest: (handle: string) => answer(http.GET('/api/channels/{handle}/ingest', of(handle))),
  endStream: (handle: string) => answer(http.POST('/api/channels/{handle}/end', of(handle))),
  streamKeys: (handle: string) => answer(http.GET('/api/channels/{handle}/stream_keys', of(handle))),
  createStreamKey: (handle: string, name: string) =>
    answer(http.POST('/api/channels/{handle}/stream_keys', { ...of(handle), body: { name } })),
  rotateStreamKey: (handle: string, id: string) =>
    answer(http.POST('/api/channels/{handle}/stream_keys/{id}/rotate', ofKey(handle, id))),
  revokeStreamKey: (handle: string, id: string) =>
    answer(http.DELETE('/api/channels/{handle}/stream_keys/{id}', ofKey(handle, id))),
};
