import { expect, test } from 'vitest';
import type { ModAction } from '../../api/chat';
import { actionWords, standing } from './words';

let next = 0;
const action = (kind: string, patch: Partial<ModAction> = {}): ModAction =>
  ({ id: String(next++), kind, by: 'ada', reason: '', subject: null, ...patch }) as ModAction;

test('the log tells who did what to whom, and why', () => {
  const bob = { subject: 'b', subject_name: 'bob' };
  expect(actionWords(action('ban', { ...bob, reason: 'spam' }))).toBe('ada banned bob: spam');
  expect(actionWords(action('modes', { reason: 'slow mode 10 s' }))).toBe(
    'ada changed how one may write: slow mode 10 s',
  );
  expect(actionWords(action('pin', { text: 'hello' }))).toBe('ada pinned a message: “hello”');
  expect(actionWords(action('question_shown'))).toBe('ada question shown');
});

test('what is undone cannot be undone again', () => {
  const of = (subject: string) => ({ subject, subject_name: subject });
  const again = action('timeout', of('cat'));
  const list = [
    action('release', of('bob')),
    again,
    action('ban', of('bob')),
    action('delete', of('dan')),
    action('ban', of('cat')),
  ];
  expect([...standing(list)]).toEqual([again.id]);
});
