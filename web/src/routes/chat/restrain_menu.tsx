import { Popover } from '@base-ui/react/popover';
import { Ban } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { chatApi, type Restraining } from '../../api/chat';
import { Button } from '../../ui/button';
import { useActs } from './acts';
import { TOOL } from './message_tools';

export const TIMES: readonly [label: string, seconds: number][] = [
  ['10 s', 10],
  ['1 min', 60],
  ['10 min', 600],
  ['1 h', 3600],
  ['1 day', 86_400],
  ['14 days', 14 * 86_400],
];

/** Silence for a while, or for good; the reason is told to whom it is about. */
export function RestrainMenu({
  subject,
  name,
  trigger,
  look = TOOL,
  onOpen,
}: {
  subject: string;
  name: string;
  trigger: ReactNode;
  look?: string;
  onOpen?: (open: boolean) => void;
}) {
  const { handle, act } = useActs();
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState('');
  const change = (next: boolean) => {
    setOpen(next);
    onOpen?.(next);
  };
  const restrain = (how: Restraining, words: string) => {
    change(false);
    const given = reason.trim();
    void act(
      () => chatApi.restrain(handle, subject, { ...how, ...(given ? { reason: given } : {}) }),
      words,
      () => chatApi.release(handle, subject),
    );
  };
  return (
    <Popover.Root open={open} onOpenChange={change}>
      <Popover.Trigger
        aria-label={`Time out or ban ${name}`}
        title="Time out or ban (T)"
        data-restrain
        className={look}
      >
        {trigger}
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner
          positionMethod="fixed"
          side="bottom"
          align="end"
          sideOffset={6}
          collisionPadding={8}
          className="z-50"
        >
          <Popover.Popup className="w-64 rounded-card border border-line bg-surface-1 p-3 text-ink shadow-panel outline-none">
            <Popover.Title className="mb-2 truncate text-sm font-semibold">Time out {name}</Popover.Title>
            <div className="grid grid-cols-3 gap-1.5">
              {TIMES.map(([label, seconds]) => (
                <Button
                  key={label}
                  size="sm"
                  className="px-1! pointer-coarse:min-h-11"
                  onClick={() => restrain({ kind: 'timeout', seconds }, `${name} is timed out for ${label}.`)}
                >
                  {label}
                </Button>
              ))}
            </div>
            <label className="mt-3 block text-xs text-ink-3">
              Reason, told to {name}
              <input
                value={reason}
                maxLength={200}
                onChange={(event) => setReason(event.target.value)}
                className="mt-1 min-h-9 w-full rounded-control border border-line-strong/60 bg-surface-0 px-2 text-base text-ink sm:text-sm"
              />
            </label>
            <Button
              look="warn"
              size="sm"
              className="mt-3 w-full pointer-coarse:min-h-11"
              onClick={() => restrain({ kind: 'ban' }, `${name} is banned.`)}
            >
              <Ban aria-hidden size={15} />
              Ban for good
            </Button>
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}
