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
};

/** "ada timed out bob: too loud", and of kinds that are new here their own name. */
export function actionWords({ by, kind, subject, subject_name, reason }: ModAction): string {
  const verb = VERBS[kind] ?? kind.replaceAll('_', ' ');
  const whom = readable(subject_name ?? subject ?? '');
  // Of kinds such as `delete` it is about a message of somebody, who may not be known any more.
  const said = [by ?? 'The server', whom ? verb : verb.replace(/ of$/, ''), whom].filter(Boolean).join(' ');
  return reason ? `${said}: ${readable(reason)}` : said;
}

/** Whether there is something to take back. */
export const isRestraint = ({ kind }: ModAction): boolean => kind === 'ban' || kind === 'timeout';
