/** What became of a purchase whose buyer comes back from the page where it is paid. */

/** As far as it matters here. */
export interface Looked {
  state: 'open' | 'paid' | 'expired' | 'failed';
}

export type Standing<T extends Looked> =
  | { name: 'waiting' }
  /** It takes longer; nobody needs to wait. */
  | { name: 'slow' }
  | { name: 'paid'; purchase: T }
  /** Nothing was paid. */
  | { name: 'unpaid'; purchase: T }
  /** There is no such purchase of this account. */
  | { name: 'unknown' };

const EVERY_MS = 1000;
const AT_MOST = 30;

/**
 * Asks every second until it is decided, half a minute long. `ask` gives `null` for a purchase that is not
 * one's own, and throws when the server is away. Gives what ends it.
 */
export function watchPurchase<T extends Looked>(
  ask: () => Promise<T | null>,
  tell: (standing: Standing<T>) => void,
): () => void {
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = async (round: number) => {
    const standing = await ask().then(standingOf<T>, () => WAITING);
    if (stopped) return;
    if (standing.name !== 'waiting') tell(standing);
    else if (round >= AT_MOST) tell({ name: 'slow' });
    else timer = setTimeout(() => void look(round + 1), EVERY_MS);
  };
  tell(WAITING);
  void look(1);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

const WAITING = { name: 'waiting' } as const;

function standingOf<T extends Looked>(purchase: T | null): Standing<T> {
  if (purchase === null) return { name: 'unknown' };
  if (purchase.state === 'open') return WAITING;
  return { name: purchase.state === 'paid' ? 'paid' : 'unpaid', purchase };
}

/** How somebody comes back from paying, or for a gift, as the address of the page says it. */
export type Return =
  | { name: 'paid'; id: string }
  | { name: 'cancelled' }
  /** Of somebody's purchase. */
  | { name: 'gift'; id: string }
  | null;

export function returnOf(search: string): Return {
  const query = new URLSearchParams(search);
  const id = query.get('purchase');
  if (id) return { name: 'paid', id };
  if (query.has('purchase_cancelled')) return { name: 'cancelled' };
  const gift = query.get('gift');
  return gift ? { name: 'gift', id: gift } : null;
}

/** The address without that. */
export function withoutReturn(pathname: string, search: string): string {
  const query = new URLSearchParams(search);
  query.delete('purchase');
  query.delete('purchase_cancelled');
  query.delete('gift');
  const rest = query.toString();
  return rest === '' ? pathname : `${pathname}?${rest}`;
}
