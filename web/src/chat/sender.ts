import type { Sender } from './protocol';

/** How moderation names somebody: by what stays, whatever one is called. */
export const subjectOf = ({ id }: Sender): string => id;

/** The subject of a name that was typed: who wrote lately under it, else the account that is called so. */
export function subjectByName(name: string, lately: Iterable<Sender>): string {
  const wanted = name.toLowerCase();
  let found: string | null = null;
  for (const sender of lately) {
    if (sender.name.toLowerCase() === wanted) found = subjectOf(sender);
  }
  return found ?? name;
}
