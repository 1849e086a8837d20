import type { EventKind } from '../../api/webhooks';

/** What can be posted, in words. */
export const KINDS: readonly (readonly [EventKind, string])[] = [
  ['stream.started', 'A stream starts'],
  ['stream.ended', 'A stream ends'],
  ['stream.updated', 'Title, category or time of a stream change'],
  ['stream.scheduled', 'A stream is planned'],
  ['stream.cancelled', 'A planned stream is cancelled'],
  ['recording.ready', 'A recording is ready'],
  ['channel.followed', 'Somebody follows the channel'],
  ['viewer.count', 'Viewers, once a minute while live'],
];
