/** What is done with one message, on pointing at it or by keyboard: at most two clicks for each. */
import { Gavel, Pin, Reply, Trash2 } from 'lucide-react';
import type { ReactNode } from 'react';
import { chatApi } from '../../api/chat';
import type { Message, You } from '../../chat/protocol';
import { subjectOf } from '../../chat/sender';
import { useActs } from './acts';
import { RestrainMenu } from './restrain_menu';

export function MessageTools({
  message,
  you,
  onHold,
}: {
  message: Message;
  you: You;
  /** A menu of it is open: it stays although the pointer has left. */
  onHold: (held: boolean) => void;
}) {
  const { handle, act, reply } = useActs();
  const own = message.from.id === you.id;
  const above = message.from.badges.includes('owner') || message.from.badges.includes('admin');
  return (
    <div className="absolute -top-3 right-2 z-10 flex rounded-control border border-line-strong/60 bg-surface-1 p-0.5 shadow-panel">
      {you.may_write && (
        <Tool label="Reply" hint="R" onClick={() => reply(message)}>
          <Reply size={15} />
        </Tool>
      )}
      {you.may_moderate && (
        <Tool
          label="Pin"
          hint="P"
          onClick={() =>
            void act(
              () => chatApi.pin(handle, message.id),
              'Pinned.',
              () => chatApi.unpin(handle),
            )
          }
        >
          <Pin size={15} />
        </Tool>
      )}
      {(you.may_moderate || own) && (
        <Tool
          label="Delete"
          hint="Del"
          onClick={() => void act(() => chatApi.deleteMessage(handle, message.id), 'Deleted.')}
        >
          <Trash2 size={15} />
        </Tool>
      )}
      {you.may_moderate && !own && !above && (
        <RestrainMenu
          subject={subjectOf(message.from)}
          name={message.from.name}
          onOpen={onHold}
          trigger={<Gavel aria-hidden size={15} />}
        />
      )}
    </div>
  );
}

export const TOOL =
  'flex size-8 items-center justify-center rounded-md text-ink-2 hover:bg-surface-2 hover:text-ink pointer-coarse:size-11';

function Tool({
  label,
  hint,
  onClick,
  children,
}: {
  label: string;
  hint: string;
  onClick: () => void;
  children: ReactNode;
}) {
  return (
    <button type="button" aria-label={label} title={`${label} (${hint})`} onClick={onClick} className={TOOL}>
      {children}
    </button>
  );
}
