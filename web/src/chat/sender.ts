import type { Sender } from './protocol';

/** How moderation names somebody: an account by its name, a guest by the id. */
export function subjectOf({ id, name }: Sender): string {
  return id.startsWith('guest-') ? id : name;
}

/** The subject of a name that was typed: a guest who wrote lately under it, else the account. */
export function subjectByName(name: string, lately: Iterable<Sender>): string {
  const wanted = name.toLowerCase();
  let found: string | null = null;
  for (const sender of lately) {
    if (sender.name.toLowerCase() === wanted) found = subjectOf(sender);
  }
  return found ?? name;
}
