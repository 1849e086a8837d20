/** What somebody is told of, and how. */
import { answer, http } from './client';
import type { components } from './schema';

export type Notification = components['schemas']['NotificationList']['items'][number];
export type NotificationSettings = components['schemas']['NotificationSettings'];
export type ChoiceEdit = components['schemas']['ChoiceEdit'];

export const notifications = {
  list: (cursor?: string) =>
    answer(http.GET('/api/notifications', { params: { query: cursor === undefined ? {} : { cursor } } })),
  /** Without an id all are read. */
  read: (id?: string) =>
    answer(http.POST('/api/notifications/read', { body: id === undefined ? {} : { id } })),
  test: () => answer(http.POST('/api/notifications/test')),
  settings: () => answer(http.GET('/api/account/notification-settings')),
  choose: (choice: ChoiceEdit) =>
    answer(http.PATCH('/api/account/notification-settings', { body: { choices: [choice] } })),
  /** Muted, a channel that is followed is told of no more. */
  mute: (handle: string, mute: boolean) =>
    mute
      ? answer(http.PUT('/api/account/muted-channels/{handle}', { params: { path: { handle } } }))
      : answer(http.DELETE('/api/account/muted-channels/{handle}', { params: { path: { handle } } })),
  pushKey: () => answer(http.GET('/api/push/key')),
  addPush: (body: { endpoint: string; keys: { p256dh: string; auth: string } }) =>
    answer(http.POST('/api/account/push-subscriptions', { body })),
  removePush: (id: string) =>
    answer(http.DELETE('/api/account/push-subscriptions/{id}', { params: { path: { id } } })),
  mailSubscription: (token: string) =>
    answer(http.GET('/api/unsubscribe/{token}', { params: { path: { token } } })),
  unsubscribe: (token: string) =>
    answer(http.POST('/api/unsubscribe/{token}', { params: { path: { token } } })),
};
