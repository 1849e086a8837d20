/** What waits for a moderator: let through or not, a click each. */
import { Check, X } from 'lucide-react';
import { chatApi } from '../../api/chat';
import { subjectOf } from '../../chat/sender';
import type { ChatState } from '../../chat/state';
import { Button } from '../../ui/button';
import { useActs } from '../chat/acts';
import { Name } from '../chat/name';
import { Words } from '../chat/words';

export default function Queue({ state }: { state: ChatState }) {
  const { handle, act, showCard } = useActs();
  const waiting = [...state.holds].sort((a, b) => a.id - b.id);
  const emotes = new Map(state.emotes.map((emote) => [emote.code, emote]));
  // What is settled, by whomever, is told in the room.
  const settle = (id: number, approve: boolean) =>
    void act(() => chatApi.settleHold(handle, id, approve), '');
  return (
    <div className="min-h-0 flex-1 overflow-y-auto p-3">
      {waiting.length === 0 && (
        <p className="p-4 text-center text-sm text-ink-3">
          Nothing waits. What the filters hold back stands here until you decide.
        </p>
      )}
      <ul aria-label="Held messages" className="flex flex-col gap-2">
        {waiting.map(({ id, from, text }) => (
          <li key={id} className="rounded-card border border-line bg-surface-2 p-3 text-sm">
            <p className="text-ink-2">
              <button type="button" onClick={() => showCard(subjectOf(from))} className="hover:underline">
                <Name from={from} />
              </button>
              : <Words text={text} emotes={emotes} own={null} />
            </p>
            <div className="mt-2 flex gap-2">
              <Button size="sm" className="pointer-coarse:min-h-11" onClick={() => settle(id, true)}>
                <Check aria-hidden size={15} /> Approve
              </Button>
              <Button
                size="sm"
                look="ghost"
                className="pointer-coarse:min-h-11"
                onClick={() => settle(id, false)}
              >
                <X aria-hidden size={15} /> Deny
              </Button>
            </div>
          </li>
        ))}
      </ul>
    </div>
  );
}
