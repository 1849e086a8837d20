/** What each state is called, and what it means for whoever watches. */
import type { Lock } from '../gates/lock';
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
  if (view.lock && view.state !== 'playing') return lockedWords(view.lock);
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

/** What is shut plays on its own page: cookies do not come along into frames of other sites. */
function lockedWords(lock: Lock | 'unknown'): Words {
  if (lock === 'unknown') {
    return {
      icon: 'lock',
      title: 'This cannot be watched here',
      text: 'The server does not let this page in. Its own page says why.',
      action: 'page',
    };
  }
  const what = lock.of === 'recording' ? 'video' : lock.of;
  const { title, text } = BARRED[lock.by](`This ${what}`);
  const action = lock.by === 'banned' ? null : 'watch';
  if (lock.ended !== 'preview') return { icon: 'lock', title, text, action };
  return { icon: 'lock', title: 'The free preview is over', text: `${title}. ${text}`, action };
}

const BARRED: Record<Lock['by'], (what: string) => Pick<Words, 'title' | 'text'>> = {
  password: (what) => ({
    title: `${what} asks for a password`,
    text: 'Give it on its own page: it plays there.',
  }),
  members: (what) => ({
    title: `${what} is for members`,
    text: 'Whoever is one can watch it on its own page.',
  }),
  followers: (what) => ({
    title: `${what} is for followers`,
    text: 'Follow on its own page: it plays there.',
  }),
  ticket: (what) => ({
    title: `${what} asks for a ticket`,
    text: 'Its own page sells it, and plays it for whoever has one.',
  }),
  banned: () => ({
    title: 'You are banned from this channel',
    text: 'Its moderators decided that. They can lift it again.',
  }),
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
