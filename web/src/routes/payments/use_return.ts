import { useEffect, useState } from 'react';
import { type Return, returnOf, withoutReturn } from '../../payments/purchase_watch';

/** How somebody came back to this page from paying, or came for a gift; taken out of the address at once. */
export function useReturn(): [back: Return, done: () => void] {
  const [back, setBack] = useState(() => returnOf(location.search));
  useEffect(() => {
    if (back) history.replaceState(history.state, '', withoutReturn(location.pathname, location.search));
  }, [back]);
  return [back, () => setBack(null)];
}
