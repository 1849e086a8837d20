/** What the keys do on a message that has the focus. */

export interface RowActs {
  up: () => void;
  down: () => void;
  first: () => void;
  last: () => void;
  reply?: (() => void) | null;
  pin?: (() => void) | null;
  restrain?: (() => void) | null;
  remove?: (() => void) | null;
  leave?: () => void;
}

export function rowAct(key: string, acts: RowActs): (() => void) | null {
  switch (key) {
    case 'ArrowUp':
      return acts.up;
    case 'ArrowDown':
      return acts.down;
    case 'Home':
      return acts.first;
    case 'End':
      return acts.last;
    case 'r':
    case 'R':
      return acts.reply ?? null;
    case 'p':
    case 'P':
      return acts.pin ?? null;
    case 't':
    case 'T':
      return acts.restrain ?? null;
    case 'Delete':
      return acts.remove ?? null;
    case 'Escape':
      return acts.leave ?? null;
    default:
      return null;
  }
}
