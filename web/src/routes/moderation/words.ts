import type { ModAction } from '../../api/chat';
import { readable } from '../../chat/text';

const VERBS: Record<string, string> = {
  ban: 'banned',
  unban: 'unbanned',
  timeout: 'timed out',
  untimeout: 'ended the time-out of',
  release: 'released',
  warn: 'warned',
  delete: 'deleted a message of',
  clear: 'cleared the chat',
  approve: 'approved a message of',
  deny: 'denied a message of',
  pin: 'pinned a message of',
  unpin: 'unpinned a message of',
  modes: 'changed how one may write',
  shield: 'raised the shield',
  unshield: 'lowered the shield',
  term: 'set a term',
  unterm: 'removed a term',
  emote: 'set an emote',
  unemote: 'removed an emote',
  poll: 'began a poll',
  raid: 'began a raid to',
  unraid: 'called off the raid',
};

/** "ada timed out bob: too loud", and of kinds that are new here their own name. */
export function actionWords({ by, kind, subject, subject_name, reason, text }: ModAction): string {
  const verb = VERBS[kind] ?? kind.replaceAll('_', ' ');
  const whom = readable(subject_name ?? subject ?? '');
  // Of kinds such as `delete` it is about a message of somebody, who may not be known any more.
  const said = [by ?? 'The server', whom ? verb : verb.replace(/ of$/, ''), whom].filter(Boolean).join(' ');
  if (reason) return `${said}: ${readable(reason)}`;
  return text ? `${said}: “${readable(text)}”` : said;
}

/** Whether there was something to take back. */
const isRestraint = ({ kind }: ModAction): boolean => kind === 'ban' || kind === 'timeout';

/** What still holds and can be taken back: of each subject the newest, unless they were released since. */
export function standing(newestFirst: readonly ModAction[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const stands = new Set<string>();
  for (const action of newestFirst) {
    const { id, kind, subject } = action;
    if (!subject || seen.has(subject) || !(isRestraint(action) || kind === 'release')) continue;
    seen.add(subject);
    if (isRestraint(action)) stands.add(id);
  }
  return stands;
}
