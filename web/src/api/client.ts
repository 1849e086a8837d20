/** Every request the pages make, one function each. A refusal is an `ApiError` in the server's words. */
import { sentence } from '../words';
import type {
  AccountSession,
  Channel,
  ChannelCard,
  Ingest,
  NewStreamKey,
  OwnChannel,
  Problem,
  StreamKey,
} from './types';

export class ApiError extends Error {
  /** 0: the server was not reached. */
  readonly status: number;
  readonly code: string | null;

  constructor(problem: Problem) {
    super(sentence(problem.detail ?? problem.title ?? `The server answered ${problem.status}`));
    this.name = 'ApiError';
    this.status = problem.status;
    this.code = problem.code ?? null;
  }
}

async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api${path}`, {
      method,
      cache: 'no-store',
      ...(body === undefined
        ? {}
        : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError({
      status: 0,
      detail: 'The server cannot be reached. Check your connection and try again.',
    });
  }
  if (!response.ok) {
    const problem = (await response.json().catch(() => ({}))) as Partial<Problem>;
    throw new ApiError({ ...problem, status: response.status });
  }
  return (response.status === 204 ? undefined : await response.json()) as T;
}

const channel = (handle: string) => `/channels/${encodeURIComponent(handle)}`;

export const api = {
  setupNeeded: () => request<{ needed: boolean }>('GET', '/setup'),
  setUp: (body: { token: string; name: string; password: string; handle: string }) =>
    request<AccountSession>('POST', '/setup', body),
  signIn: (body: { name: string; password: string }) => request<AccountSession>('POST', '/session', body),
  signOut: () => request<void>('DELETE', '/session'),
  /** `null` when nobody is signed in. */
  session: () =>
    request<AccountSession>('GET', '/session').catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }),
  liveChannels: () => request<{ items: ChannelCard[] }>('GET', '/channels?live=true'),
  createChannel: (body: OwnChannel) => request<unknown>('POST', '/channels', body),
  channel: (handle: string) => request<Channel>('GET', channel(handle)),
  ingest: (handle: string) => request<Ingest>('GET', `${channel(handle)}/ingest`),
  endStream: (handle: string) => request<void>('POST', `${channel(handle)}/end`),
  streamKeys: (handle: string) => request<{ items: StreamKey[] }>('GET', `${channel(handle)}/stream_keys`),
  createStreamKey: (handle: string, name: string) =>
    request<NewStreamKey>('POST', `${channel(handle)}/stream_keys`, { name }),
  rotateStreamKey: (handle: string, id: string) =>
    request<NewStreamKey>('POST', `${channel(handle)}/stream_keys/${encodeURIComponent(id)}/rotate`),
  revokeStreamKey: (handle: string, id: string) =>
    request<void>('DELETE', `${channel(handle)}/stream_keys/${encodeURIComponent(id)}`),
};
