/**
 * Finds in plain text what is shown as more than text: mentions, links, emotes. Nothing of it is markup,
 * and nothing becomes any: every part is put on a page as a text node.
 */
import { emojiOf } from './emoji';

export type Part =
  | { kind: 'text'; text: string }
  | { kind: 'mention'; text: string; name: string }
  | { kind: 'link'; text: string; url: string }
  /** One of the channel's own. */
  | { kind: 'emote'; text: string; code: string };

/** Emoji alone are shown larger than among words. */
export function isOnlyEmoji(text: string): boolean {
  return text.length <= 40 && ONLY_EMOJI.test(text);
}

/** `has` says whether the channel has an emote of this code. */
export function partsOf(raw: string, has: (code: string) => boolean): Part[] {
  const text = readable(raw);
  const parts: Part[] = [];
  let from = 0;
  for (const match of text.matchAll(MARKS)) {
    const found = partOf(match[0], text, match.index, has);
    if (!found) continue;
    if (match.index > from) parts.push({ kind: 'text', text: text.slice(from, match.index) });
    parts.push(found);
    from = match.index + found.text.length;
  }
  if (from < text.length) parts.push({ kind: 'text', text: text.slice(from) });
  return withEmoji(parts);
}

/**
 * Without the signs that turn the direction of what follows them or that take no room: with them a
 * message can look like another's, or a link like another address.
 */
export function readable(text: string): string {
  return text.replace(/\s+/g, ' ').replace(TURNING, '').replace(PILED_UP, '$1');
}

/** Whether somebody is spoken to. */
export function mentions(text: string, name: string | null): boolean {
  if (!name) return false;
  const wanted = `@${name.toLowerCase()}`;
  return partsOf(text, () => false).some(
    (part) => part.kind === 'mention' && part.text.toLowerCase() === wanted,
  );
}

const MARKS = /https?:\/\/[^\s<>"]+|@[\p{L}\p{N}_-][\p{L}\p{N}_.-]*|:[a-z0-9_]{2,32}:/giu;
const TURNING = /[\p{Cc}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;

/** More marks on one letter than any language has reach into the lines of others. */
const PILED_UP = /(\p{M}{4})\p{M}+/gu;
/** With joiners, colours of skin and the letters of flags; `\p{Emoji}` would have digits, too. */
const ONLY_EMOJI =
  /^(?:\p{Extended_Pictographic}|[\u{1f3fb}-\u{1f3ff}]|[\u{1f1e6}-\u{1f1ff}]|\u200d|\ufe0f|\s)+$/u;

function partOf(match: string, text: string, at: number, has: (code: string) => boolean): Part | null {
  if (match.startsWith(':')) {
    const code = match.slice(1, -1).toLowerCase();
    return has(code) ? { kind: 'emote', text: match, code } : null;
  }
  if (match.startsWith('@')) {
    // Of `ada@example.org` the second half is no mention.
    if (/[\p{L}\p{N}]/u.test(text[at - 1] ?? '')) return null;
    const mention = match.replace(/[.-]+$/, '');
    return { kind: 'mention', text: mention, name: mention.slice(1) };
  }
  return linkOf(match);
}

/** The sentence's own full stop or bracket is not the link's. */
function linkOf(match: string): Part | null {
  let text = match.replace(/[.,;:!?'’»]+$/u, '');
  if (text.endsWith(')') && !text.includes('(')) text = text.slice(0, -1);
  const url = parsed(text);
  if (!url?.hostname || (url.protocol !== 'https:' && url.protocol !== 'http:')) return null;
  return { kind: 'link', text, url: url.href };
}

function parsed(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** Short codes of emoji are written out, where no emote has that name. */
function withEmoji(parts: Part[]): Part[] {
  return parts.map((part) =>
    part.kind === 'text'
      ? { kind: 'text', text: part.text.replace(/:[a-z0-9_+]{2,32}:/g, (code) => emojiOf(code) ?? code) }
      : part,
  );
}
