/** How streams arrive, and who watches them. */
import { answer, http } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type HealthReport = Schemas['HealthReport'];
export type HealthPoint = Schemas['HealthPoint'];
export type AlertInterval = Schemas['AlertInterval'];
export type ViewersReport = Schemas['ViewersReport'];
export type StreamInsights = Schemas['StreamInsights'];

export const insightsApi = {
  streams: (handle: string, cursor?: string) =>
    answer(
      http.GET('/api/channels/{handle}/insights', {
        params: { path: { handle }, query: cursor === undefined ? {} : { cursor } },
      }),
    ),
  health: (id: string) => answer(http.GET('/api/streams/{id}/health', { params: { path: { id } } })),
  viewers: (id: string) => answer(http.GET('/api/streams/{id}/viewers', { params: { path: { id } } })),
};
