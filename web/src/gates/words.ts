/** How gates are named, in a badge and in a sentence. */
import type { StreamGate } from '../api/entry';

/** Nothing for what is open to everyone. */
export function badgeText(gate: StreamGate): string | null {
  switch (gate.who) {
    case 'followers':
      return 'Followers';
    case 'members':
      return (gate.tier ?? 1) > 1 ? `Tier ${gate.tier}+` : 'Members';
    case 'ticket':
      return 'Ticket';
    case 'password':
      return 'Password';
    default:
      return null;
  }
}

/** "Members from tier 2", as an answer to who may watch. */
export function audienceText(gate: StreamGate): string {
  switch (gate.who) {
    case 'followers':
      return 'Followers';
    case 'members':
      return (gate.tier ?? 1) > 1 ? `Members from tier ${gate.tier}` : 'Members';
    case 'ticket':
      return 'Ticket holders';
    case 'password':
      return 'Who knows the password';
    default:
      return 'Everyone';
  }
}

/** Who may watch, with what the channel itself asks for. */
export function wholeAudience(
  gate: StreamGate | undefined,
  visibility: 'public' | 'unlisted' | 'members' | 'password',
): string {
  const isOpen = gate === undefined || gate.who === 'everyone';
  if (isOpen) return OF_CHANNEL[visibility];
  return audienceText(gate) + BESIDES[visibility];
}

const OF_CHANNEL = {
  public: 'Everyone',
  unlisted: 'Everyone with the link',
  members: 'Members of your channel',
  password: 'Who knows the password of your channel',
};

const BESIDES = {
  public: '',
  unlisted: ' with the link',
  members: ' who are members of your channel',
  password: ', with the password of your channel',
};

/** "30 seconds", "1 minute", "1 min 30 s". */
export function lookText(seconds: number): string {
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60];
  if (minutes === 0) return `${rest} ${rest === 1 ? 'second' : 'seconds'}`;
  if (rest > 0) return `${minutes} min ${rest} s`;
  return `${minutes} ${minutes === 1 ? 'minute' : 'minutes'}`;
}
