/** Why one may not write just now, in words, and what would help. */
import type { Modes, You } from './protocol';

export interface Standing {
  words: string;
  /** What one can do about it; `wait` counts down by itself. */
  action: 'sign_in' | 'name' | 'follow' | 'wait' | 'none';
  /** One may write meanwhile, and send it when it is over. */
  mayType: boolean;
  /** When it is over, on the Date.now() clock. */
  until: number | null;
}

interface Circumstances {
  /** The slow mode's own countdown, or what the server said to wait. */
  waitUntil: number | null;
  /** What was refused last time under these modes. */
  barred: string | null;
  guestName: string | null;
  /** `null` while it is not known. */
  follows: boolean | null;
  now: number;
}

/** Without a time-out that is over: the server says so as well, a moment later. */
export function afterTimeout(you: You, now: number): You {
  const { restraint } = you;
  const isOver = restraint?.kind === 'timeout' && Date.parse(restraint.until ?? '') <= now;
  return isOver ? { ...you, restraint: null, may_write: true } : you;
}

/** `null`: go ahead. */
export function standingOf(
  asked: You,
  modes: Modes,
  { waitUntil, barred, guestName, follows, now }: Circumstances,
): Standing | null {
  const you = afterTimeout(asked, now);
  const { restraint } = you;
  if (restraint?.kind === 'ban') return say(`You are banned from this chat.${because(restraint.reason)}`);
  if (restraint)
    return say(`You are timed out.${because(restraint.reason)}`, 'wait', Date.parse(restraint.until ?? ''));
  if (you.role === 'reader' || you.role === 'guest') {
    const stranger = strangers(modes, guestName);
    if (stranger) return stranger;
  }
  if (!you.may_write) return say('You cannot write here right now.');
  if (!you.may_moderate) {
    const kept = byMode(modes, barred, follows);
    if (kept) return kept;
  }
  if (waitUntil === null || waitUntil <= now) return null;
  return { ...say(waiting(you, modes), 'wait', waitUntil), mayType: true };
}

/** What to tell a guest who wanted another name than it got. */
export function otherName({ role, name }: You, wish: string | null): string | null {
  const wanted = wish?.trim().replace(/\s+/g, ' ') ?? '';
  if (role !== 'guest' || wanted === '' || !name || name === wanted) return null;
  const why =
    [...wanted].length < SHORTEST_NAME ? `A name has ${SHORTEST_NAME} letters or more` : 'That name is taken';
  return `${why}: you are called ${name}.`;
}

const SHORTEST_NAME = 2;

function strangers(modes: Modes, guestName: string | null): Standing | null {
  if (!modes.guests) return say('Sign in to write.', 'sign_in');
  if (modes.followers_minutes !== null) return say('Only followers may write. Sign in to follow.', 'sign_in');
  if (modes.members_only) return say('Only members may write. If you are one, sign in.', 'sign_in');
  return guestName === null ? say('Choose a name to write as a guest, or sign in.', 'name') : null;
}

/** Who is a member, and for how long one has followed, the server alone knows: it says so once. */
function byMode(modes: Modes, barred: string | null, follows: boolean | null): Standing | null {
  if (modes.members_only && barred === 'members_only') return say('Only members may write right now.');
  const minutes = modes.followers_minutes;
  if (minutes === null || (follows !== false && barred !== 'followers_only')) return null;
  const action = follows ? 'none' : 'follow';
  return minutes === 0
    ? say('Only followers may write.', action)
    : say(`Only who has followed for ${minutesWords(minutes)} may write.`, action);
}

/** The slow mode is for others than moderators; too fast is anybody. */
const waiting = (you: You, modes: Modes): string =>
  modes.slow_seconds > 0 && !you.may_moderate ? 'Slow mode' : 'Too fast';

function say(words: string, action: Standing['action'] = 'none', until: number | null = null): Standing {
  return { words, action, mayType: false, until: until !== null && Number.isNaN(until) ? null : until };
}

const because = (reason: string | null): string => (reason ? ` Reason: ${reason}` : '');

/** "10 minutes", "2 hours", "3 days". */
export function minutesWords(minutes: number): string {
  const [count, unit] =
    minutes >= 1440 && minutes % 1440 === 0
      ? [minutes / 1440, 'day']
      : minutes >= 60 && minutes % 60 === 0
        ? [minutes / 60, 'hour']
        : [minutes, 'minute'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** What is different from an ordinary room: label, and what it means. */
export function modeChips(modes: Modes): { label: string; means: string }[] {
  const { slow_seconds: slow, followers_minutes: minutes } = modes;
  const followers =
    minutes === 0 ? 'Only followers may write.' : `Only who has followed for ${minutesWords(minutes ?? 0)}.`;
  const chips: [boolean, string, string][] = [
    [
      modes.shield,
      'Shield',
      'No guests, no links, nothing twice, and what might offend waits for a moderator.',
    ],
    [slow > 0, `Slow ${slow} s`, `One message in ${slow} seconds.`],
    [minutes !== null, minutes ? `Followers ${minutesWords(minutes)}` : 'Followers', followers],
    [modes.members_only, 'Members', 'Only members may write.'],
    [modes.emote_only, 'Emotes only', 'Only emotes and emoji may be said.'],
    [modes.unique_only, 'Unique', 'Nothing may be said twice.'],
    [modes.links_blocked, 'No links', 'Links are not let through.'],
  ];
  return chips.filter(([on]) => on).map(([, label, means]) => ({ label, means }));
}
