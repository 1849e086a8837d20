import { ArrowDown, ArrowUp, Trash2 } from 'lucide-react';

/** Moves and removes one of a list. */
export function RowButtons({
  what,
  first,
  last,
  onMove,
  onRemove,
}: {
  what: string;
  first: boolean;
  last: boolean;
  onMove: (by: -1 | 1) => void;
  onRemove: () => void;
}) {
  const look =
    'flex size-11 items-center justify-center rounded-control text-ink-2 hover:bg-surface-2 hover:text-ink disabled:opacity-40';
  return (
    <div className="flex">
      <button
        type="button"
        className={look}
        disabled={first}
        aria-label={`Move ${what} up`}
        onClick={() => onMove(-1)}
      >
        <ArrowUp aria-hidden size={16} />
      </button>
      <button
        type="button"
        className={look}
        disabled={last}
        aria-label={`Move ${what} down`}
        onClick={() => onMove(1)}
      >
        <ArrowDown aria-hidden size={16} />
      </button>
      <button type="button" className={look} aria-label={`Remove ${what}`} onClick={onRemove}>
        <Trash2 aria-hidden size={16} />
      </button>
    </div>
  );
}

/** A list with one of its rows a place up or down. */
export function swapped<T>(rows: readonly T[], at: number, by: -1 | 1): T[] {
  const next = [...rows];
  const [row] = next.splice(at, 1);
  if (row !== undefined) next.splice(at + by, 0, row);
  return next;
}
