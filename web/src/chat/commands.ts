/**
 * Slash commands: what is typed becomes a `Command` that the page carries out over the API. Nothing that
 * begins like a command is ever said aloud.
 */
import type { Modes, You } from './protocol';

export type Command =
  | { name: 'timeout'; who: string; seconds: number; reason: string }
  | { name: 'ban'; who: string; reason: string }
  | { name: 'untimeout' | 'unban'; who: string }
  | { name: 'warn'; who: string; reason: string }
  | { name: 'delete'; who: string }
  | { name: 'clear' | 'pin' | 'unpin' | 'endpoll' | 'unraid' | 'help' }
  | { name: 'modes'; modes: Partial<Modes> }
  | { name: 'shield'; on: boolean }
  | { name: 'announce'; text: string }
  | { name: 'poll'; question: string; options: string[]; seconds: number }
  | { name: 'raid'; to: string };

export type Parsed =
  | { kind: 'command'; command: Command }
  /** It is no command, or not a whole one: what to say about it. */
  | { kind: 'wrong'; words: string };

/** `null` for what is to be said aloud. */
export function parseCommand(typed: string, you: You | null): Parsed | null {
  const text = typed.trim();
  if (!text.startsWith('/')) return null;
  const [, word = '', rest = ''] = /^\/(\S*)\s*(.*)$/s.exec(text) ?? [];
  const spec = commandsFor(you).find(({ names }) => names.includes(word.toLowerCase()));
  if (!spec)
    return { kind: 'wrong', words: `There is no command /${word} for you. /help lists what there is.` };
  const command = spec.read(rest.trim());
  return command
    ? { kind: 'command', command }
    : { kind: 'wrong', words: `It is typed like this: ${usageOf(spec)}` };
}

export interface CommandSpec {
  /** The first is its own, the others are known from elsewhere. */
  names: readonly string[];
  /** What follows it. */
  takes: string;
  does: string;
  /** For who keeps the chat clean. */
  moderates: boolean;
  read: (rest: string) => Command | null;
}

export function commandsFor(you: You | null): CommandSpec[] {
  return COMMANDS.filter(({ moderates }) => !moderates || you?.may_moderate === true);
}

export const usageOf = ({ names, takes }: CommandSpec): string => `/${names[0]} ${takes}`.trim();

/** "10s", "5m", "1h", "2d", "90" → seconds. */
export function readDuration(text: string): number | null {
  const match = /^(\d{1,7})(s|m|h|d|w)?$/i.exec(text);
  if (!match) return null;
  const seconds = Number(match[1]) * (UNITS[(match[2] ?? 's').toLowerCase()] ?? 1);
  return seconds > 0 ? seconds : null;
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const USUAL_TIMEOUT_S = 600;
export const LONGEST_TIMEOUT_S = 14 * 86_400;
const USUAL_SLOW_S = 10;
const USUAL_POLL_S = 120;

const who = (word: string): string => word.replace(/^@/, '');
const split = (rest: string): [string, string] => {
  const [, first = '', others = ''] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
  return [first, others];
};

const bare = <N extends Command['name']>(name: N) => ({ takes: '', read: () => ({ name }) as Command });

const person = (name: 'untimeout' | 'unban' | 'delete') => ({
  takes: 'NAME',
  read: (rest: string): Command | null => (who(rest) ? { name, who: who(rest) } : null),
});

/** A mode that is on or off; without a word it is on. */
const toggle = (mode: 'members_only' | 'emote_only' | 'unique_only' | 'links_blocked') => ({
  takes: '[on|off]',
  read: (rest: string): Command | null => {
    if (!/^(on|off)?$/i.test(rest)) return null;
    return { name: 'modes', modes: { [mode]: rest.toLowerCase() !== 'off' } };
  },
});

const COMMANDS: CommandSpec[] = [
  { names: ['help'], ...bare('help'), does: 'Lists the commands', moderates: false },
  {
    names: ['timeout', 'to'],
    takes: 'NAME [10s|5m|1h|2d] [reason]',
    does: 'Lets somebody be silent for a while; ten minutes where no time is given',
    moderates: true,
    read: (rest) => {
      const [name, others] = split(rest);
      const [first, behind] = split(others);
      const seconds = readDuration(first);
      if (!who(name)) return null;
      return {
        name: 'timeout',
        who: who(name),
        seconds: Math.min(seconds ?? USUAL_TIMEOUT_S, LONGEST_TIMEOUT_S),
        reason: seconds === null ? others : behind,
      };
    },
  },
  { names: ['untimeout'], ...person('untimeout'), does: 'Ends a time-out', moderates: true },
  {
    names: ['ban'],
    takes: 'NAME [reason]',
    does: 'Lets somebody write no more',
    moderates: true,
    read: (rest) => {
      const [name, reason] = split(rest);
      return who(name) ? { name: 'ban', who: who(name), reason } : null;
    },
  },
  { names: ['unban'], ...person('unban'), does: 'Ends a ban', moderates: true },
  {
    names: ['warn'],
    takes: 'NAME reason',
    does: 'Tells somebody alone what to leave',
    moderates: true,
    read: (rest) => {
      const [name, reason] = split(rest);
      return who(name) && reason ? { name: 'warn', who: who(name), reason } : null;
    },
  },
  { names: ['delete'], ...person('delete'), does: 'Deletes the last message of somebody', moderates: true },
  { names: ['clear'], ...bare('clear'), does: 'Deletes all messages', moderates: true },
  {
    names: ['slow'],
    takes: '[seconds|off]',
    does: 'One message from each in so many seconds',
    moderates: true,
    read: (rest) => {
      const seconds = /^off$/i.test(rest) ? 0 : rest === '' ? USUAL_SLOW_S : readDuration(rest);
      return seconds === null ? null : { name: 'modes', modes: { slow_seconds: seconds } };
    },
  },
  {
    names: ['followers'],
    takes: '[minutes|off]',
    does: 'Only who has followed for so many minutes may write',
    moderates: true,
    read: (rest) => {
      if (/^off$/i.test(rest)) return { name: 'modes', modes: { followers_minutes: null } };
      const minutes = rest === '' ? 0 : /^\d{1,7}$/.test(rest) ? Number(rest) : null;
      return minutes === null ? null : { name: 'modes', modes: { followers_minutes: minutes } };
    },
  },
  {
    names: ['subscribers', 'members'],
    ...toggle('members_only'),
    does: 'Only members may write',
    moderates: true,
  },
  { names: ['emoteonly'], ...toggle('emote_only'), does: 'Only emotes may be said', moderates: true },
  { names: ['unique'], ...toggle('unique_only'), does: 'Nothing may be said twice', moderates: true },
  { names: ['links'], ...linksCommand(), does: 'Blocks links, or lets them be', moderates: true },
  {
    names: ['shield'],
    takes: '[off]',
    does: 'Raises all guards at once; off puts them as they were',
    moderates: true,
    read: (rest) => (/^(on|off)?$/i.test(rest) ? { name: 'shield', on: rest.toLowerCase() !== 'off' } : null),
  },
  { names: ['pin'], ...bare('pin'), does: 'Pins the selected message, or your last', moderates: true },
  { names: ['unpin'], ...bare('unpin'), does: 'Takes the pinned message down', moderates: true },
  {
    names: ['announce'],
    takes: 'TEXT',
    does: 'Says something that stands out',
    moderates: true,
    read: (text) => (text ? { name: 'announce', text } : null),
  },
  {
    names: ['poll'],
    takes: 'QUESTION | A | B [| 2m]',
    does: 'Asks everybody to choose',
    moderates: true,
    read: readPoll,
  },
  { names: ['endpoll'], ...bare('endpoll'), does: 'Ends the poll', moderates: true },
  {
    names: ['raid'],
    takes: 'HANDLE',
    does: 'Takes everybody to another channel',
    moderates: true,
    read: (rest) => (/^@?[\w-]+$/.test(rest) ? { name: 'raid', to: who(rest).toLowerCase() } : null),
  },
  { names: ['unraid'], ...bare('unraid'), does: 'Stays here after all', moderates: true },
];

/** "/links off" means: no links. */
function linksCommand() {
  return {
    takes: '[on|off]',
    read: (rest: string): Command | null =>
      /^(on|off)$/i.test(rest)
        ? { name: 'modes', modes: { links_blocked: rest.toLowerCase() === 'off' } }
        : null,
  };
}

function readPoll(rest: string): Command | null {
  const parts = rest.split('|').map((part) => part.trim());
  const last = parts.length > 3 ? readDuration(parts.at(-1) ?? '') : null;
  const [question = '', ...options] = last === null ? parts : parts.slice(0, -1);
  if (!question || options.length < 2 || options.length > 6 || options.includes('')) return null;
  return { name: 'poll', question, options, seconds: last ?? USUAL_POLL_S };
}
