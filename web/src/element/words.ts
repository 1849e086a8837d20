/** What each state is called, and what it means for whoever watches. */
import type { Icon } from './icons';
import type { StateName, View } from './view';

export interface Words {
  icon: Icon | null;
  title: string;
  text: string;
  /** What can be done about it by hand. */
  action: 'retry' | 'page' | 'watch' | null;
}

export function wordsFor(view: View, isLive: boolean, now: number): Words | null {
  if (view.barredBy && view.state !== 'playing') return BARRED[view.barredBy];
  const name = view.title || (isLive ? 'This channel' : 'This video');
  const words: Record<StateName, Words | null> = {
    idle: null,
    playing: null,
    connecting: { icon: null, title: 'Connecting', text: isLive ? `Joining ${name}.` : '', action: null },
    reconnecting: { icon: 'tower', title: 'Reconnecting', text: view.reason, action: 'retry' },
    host_reconnecting: {
      icon: 'tower',
      title: 'Host reconnecting',
      text: 'The picture comes back by itself when they are back.',
      action: null,
    },
    offline: isLive
      ? { icon: 'moon', title: `${name} is offline`, text: nextWords(view.next, now), action: 'page' }
      : { icon: 'moon', title: 'Not yet', text: view.reason, action: 'page' },
    ended: isLive
      ? { icon: 'flag', title: 'The stream has ended', text: nextWords(view.next, now), action: 'page' }
      : null,
    not_found: {
      icon: 'question',
      title: isLive ? 'There is no such channel' : 'There is no such video',
      text: 'It may have been removed, or it is private.',
      action: null,
    },
    server_full: {
      icon: 'warn',
      title: 'The server is full',
      text: 'Every place is taken right now.',
      action: 'retry',
    },
    unsupported: {
      icon: 'warn',
      title: 'This browser cannot play the stream',
      text: view.reason,
      action: 'page',
    },
    failed: { icon: 'warn', title: 'It cannot be played', text: view.reason, action: 'retry' },
  };
  return words[view.state];
}

/** The cookie of whoever gave the password does not come along into frames of other sites. */
const BARRED: Record<NonNullable<View['barredBy']>, Words> = {
  password: {
    icon: 'lock',
    title: 'This channel asks for a password',
    text: 'Give it on its own page: the stream plays there.',
    action: 'watch',
  },
  members: {
    icon: 'lock',
    title: 'This channel is for members',
    text: 'Whoever is one can watch it on its own page.',
    action: 'watch',
  },
  followers: {
    icon: 'lock',
    title: 'This channel is for followers',
    text: 'Follow it on its own page: the stream plays there.',
    action: 'watch',
  },
  ticket: {
    icon: 'lock',
    title: 'This stream asks for a ticket',
    text: 'Its own page sells it, and plays it for whoever has one.',
    action: 'watch',
  },
  banned: {
    icon: 'lock',
    title: 'You are banned from this channel',
    text: 'Its moderators decided that. They can lift it again.',
    action: null,
  },
};

const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });

/** "Next: Friday in the lab, Friday, 27 November 2026 at 20:00 (in 2 h 5 min)." */
export function nextWords(next: View['next'], now: number): string {
  if (!next) return 'It starts here by itself when the next stream begins.';
  const at = Date.parse(next.at);
  const what = next.title ? `${next.title}, ` : '';
  return `Next: ${what}${WHEN.format(at)} (${untilWords(at - now)}).`;
}

export function untilWords(ms: number): string {
  const minutes = Math.ceil(ms / 60_000);
  if (minutes <= 1) return 'in a minute';
  if (minutes < 60) return `in ${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `in ${hours} h` : `in ${hours} h ${minutes % 60} min`;
  return `in ${Math.round(hours / 24)} days`;
}
