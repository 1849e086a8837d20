/** Messages in words alone. */
import { type Given, givenText } from '../payments/support';
import type { Message, ReplyTo } from './protocol';
import { readable } from './text';

type TierNames = (tier: number) => string | null;

/** A message as it is read out: "vic: hello", "bob tips €7.00: play it again". */
export function spokenText({ from, text, support }: Message, nameOf: TierNames): string {
  const name = readable(from.name);
  return support ? `${name} ${saidText({ text, support }, nameOf)}` : `${name}: ${readable(text)}`;
}

/** The same without who it is from: "hello", "tips €7.00: play it again". */
export function saidText(
  { text, support }: { text: string; support?: Given | null | undefined },
  nameOf?: TierNames,
): string {
  const said = readable(text);
  if (!support) return said;
  const given = givenText(support, nameOf);
  return said === '' ? given : `${given}: ${said}`;
}

/** What is answered: thanks may be without words of their own. */
export function quoteText({ name, text }: ReplyTo): string {
  return text === '' ? readable(name) : `${readable(name)}: ${readable(text)}`;
}
