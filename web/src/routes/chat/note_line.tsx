import { X } from 'lucide-react';
import { Button } from '../../ui/button';
import { useActs } from './acts';

/** What became of what one did; seen by nobody else. */
export function NoteLine() {
  const { note, dismiss } = useActs();
  if (!note) return null;
  return (
    <div className="mb-2 flex items-start gap-2 rounded-control bg-surface-2 py-1 pr-1 pl-3 text-sm text-ink-2">
      <div role="status" className="min-w-0 flex-1 py-1.5 break-words">
        {note.words}
        {note.lines.length > 0 && (
          <ul className="mt-1 max-h-52 overflow-y-auto text-xs leading-relaxed">
            {note.lines.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        )}
      </div>
      {note.undo && (
        <Button
          size="sm"
          look="ghost"
          onClick={() => {
            dismiss();
            note.undo?.();
          }}
        >
          Undo
        </Button>
      )}
      <button
        type="button"
        aria-label="Dismiss"
        onClick={dismiss}
        className="flex size-9 shrink-0 items-center justify-center rounded-md hover:bg-surface-3 hover:text-ink"
      >
        <X aria-hidden size={15} />
      </button>
    </div>
  );
}
