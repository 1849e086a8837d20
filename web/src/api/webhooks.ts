/** Where a channel's events are posted to. */
import { answer, http } from './client';
import type { components } from './schema';

export type Webhook = components['schemas']['WebhookBody'];
export type NewWebhook = components['schemas']['WebhookWithSecret'];
export type Delivery = components['schemas']['DeliveryBody'];
export type EventKind = Webhook['kinds'][number];

const of = (handle: string) => ({ params: { path: { handle } } });
const ofHook = (handle: string, id: string) => ({ params: { path: { handle, id } } });
const ofDelivery = (handle: string, id: string, delivery: string) => ({
  params: { path: { handle, id, delivery } },
});

export const webhooks = {
  list: (handle: string) => answer(http.GET('/api/channels/{handle}/webhooks', of(handle))),
  create: (handle: string, body: { url: string; kinds: EventKind[] }) =>
    answer(http.POST('/api/channels/{handle}/webhooks', { ...of(handle), body })),
  edit: (handle: string, id: string, body: { url?: string; kinds?: EventKind[]; enabled?: boolean }) =>
    answer(http.PATCH('/api/channels/{handle}/webhooks/{id}', { ...ofHook(handle, id), body })),
  remove: (handle: string, id: string) =>
    answer(http.DELETE('/api/channels/{handle}/webhooks/{id}', ofHook(handle, id))),
  test: (handle: string, id: string) =>
    answer(http.POST('/api/channels/{handle}/webhooks/{id}/test', ofHook(handle, id))),
  deliveries: (handle: string, id: string, cursor?: string) =>
    answer(
      http.GET('/api/channels/{handle}/webhooks/{id}/deliveries', {
        params: { path: { handle, id }, query: cursor === undefined ? {} : { cursor } },
      }),
    ),
  replay: (handle: string, id: string, delivery: string) =>
    answer(
      http.POST(
        '/api/channels/{handle}/webhooks/{id}/deliveries/{delivery}/replay',
        ofDelivery(handle, id, delivery),
      ),
    ),
};
