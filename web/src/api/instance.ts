/** Requests about the server itself, and about the providers that one signs in with. */
import { answer, http } from './client';
import type { components } from './schema';

export type Instance = components['schemas']['Instance'];

export const instanceApi = {
  show: () => answer<Instance>(http.GET('/api/instance')),
};

export const identityApi = {
  list: () => answer(http.GET('/api/account/identities')),
  link: (provider: string) => answer(http.POST('/api/account/identities', { body: { provider } })),
  unlink: (id: string) => answer(http.DELETE('/api/account/identities/{id}', { params: { path: { id } } })),
};
