import { Dialog as Base } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import type { ReactNode, RefObject } from 'react';

/** A modal panel: focus stays in it, Esc closes it, focus goes back to where it was. */
export function Dialog({
  open,
  onClose,
  title,
  children,
  actions,
  container,
  isQuestion = false,
}: {
  open: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
  actions?: ReactNode;
  /** Where it is put; inside whatever fills the screen, else it would not be seen. */
  container?: RefObject<HTMLElement | null>;
  /** A click beside it is no answer: it may be the second of somebody impatient, and took the question away. */
  isQuestion?: boolean;
}) {
  return (
    <Base.Root open={open} disablePointerDismissal={isQuestion} onOpenChange={(next) => !next && onClose()}>
      <Base.Portal container={container}>
        <Base.Backdrop className="fixed inset-0 z-50 bg-black/60 transition-opacity duration-150 data-ending-style:opacity-0 data-starting-style:opacity-0" />
        <Base.Popup className="fixed inset-x-4 top-1/2 z-50 mx-auto max-h-[calc(100dvh-2rem)] max-w-md -translate-y-1/2 overflow-y-auto rounded-card border border-line bg-surface-1 p-6 text-ink shadow-panel transition-[opacity,scale] duration-150 data-ending-style:scale-98 data-ending-style:opacity-0 data-starting-style:scale-98 data-starting-style:opacity-0">
          <div className="mb-3 flex items-start justify-between gap-4">
            <Base.Title className="text-lg font-semibold">{title}</Base.Title>
            <Base.Close
              aria-label="Close"
              className="-mt-2 -mr-2 flex size-11 shrink-0 items-center justify-center rounded-control text-ink-2 hover:bg-surface-2 hover:text-ink"
            >
              <X aria-hidden size={20} />
            </Base.Close>
          </div>
          <div className="text-sm text-ink-2">{children}</div>
          {actions && <div className="mt-6 flex flex-wrap justify-end gap-2">{actions}</div>}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}
