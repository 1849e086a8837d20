/** What can be put in the place of the word that is being typed: commands, names, emotes, emoji. */
import { commandsFor, usageOf } from './commands';
import { ALL_EMOJI } from './emoji';
import type { Emote, You } from './protocol';

export interface Suggestion {
  /** What is put in, without the space behind it. */
  insert: string;
  label: string;
  detail: string;
  /** The picture of an emote. */
  url: string | null;
}

export interface Completion {
  /** The word that is replaced. */
  from: number;
  to: number;
  items: Suggestion[];
}

export interface Known {
  you: You | null;
  emotes: readonly Emote[];
  /** Who has written, the last one first. */
  names: readonly string[];
}

/** `tab`: the key was pressed, so that a bare word may be the beginning of a name. */
export function complete(text: string, caret: number, known: Known, tab = false): Completion | null {
  const from = text.slice(0, caret).search(/\S*$/);
  const word = text.slice(from, caret);
  const items = suggestions(word, from === 0, known, tab);
  return items.length > 0 ? { from, to: caret, items: items.slice(0, MOST) } : null;
}

/** The text with a suggestion in it, and where the caret goes. */
export function accept(
  text: string,
  { from, to }: Completion,
  { insert }: Suggestion,
): { text: string; caret: number } {
  const behind = text.slice(to);
  const space = behind.startsWith(' ') ? '' : ' ';
  return { text: text.slice(0, from) + insert + space + behind, caret: from + insert.length + 1 };
}

function suggestions(word: string, isFirst: boolean, known: Known, tab: boolean): Suggestion[] {
  if (isFirst && word.startsWith('/')) return commandItems(word.slice(1), known.you);
  if (word.startsWith('@')) return nameItems(word.slice(1), known.names, '@');
  if (/^:[a-z0-9_+]{2,}$/i.test(word)) return codeItems(word.slice(1).toLowerCase(), known.emotes);
  return tab && word.length > 1 ? nameItems(word, known.names, '@') : [];
}

function commandItems(begun: string, you: You | null): Suggestion[] {
  return commandsFor(you)
    .filter(({ names }) => names[0]?.startsWith(begun.toLowerCase()))
    .map((spec) => ({ insert: `/${spec.names[0]}`, label: usageOf(spec), detail: spec.does, url: null }));
}

function nameItems(begun: string, names: readonly string[], before: string): Suggestion[] {
  const wanted = begun.toLowerCase();
  return names
    .filter((name) => name.toLowerCase().startsWith(wanted))
    .map((name) => ({ insert: before + name, label: name, detail: '', url: null }));
}

function codeItems(begun: string, emotes: readonly Emote[]): Suggestion[] {
  const own = emotes.map(({ code, url }) => ({
    insert: `:${code}:`,
    label: `:${code}:`,
    detail: '',
    url,
    code,
  }));
  const emoji = ALL_EMOJI.map(([code, sign]) => ({
    insert: sign,
    label: `${sign} :${code}:`,
    detail: '',
    url: null,
    code,
  }));
  const fits = [...own, ...emoji].filter(({ code }) => code.includes(begun));
  return fits
    .sort((a, b) => Number(b.code.startsWith(begun)) - Number(a.code.startsWith(begun)))
    .map(({ code: _, ...item }) => item);
}

const MOST = 8;
