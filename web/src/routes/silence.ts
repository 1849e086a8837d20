import { useEffect, useState } from 'react';
import { useNow } from '../ui/time';

/**
 * How long a query that asks again and again has heard nothing, in milliseconds; `null` while it is
 * answered. A page that was hidden gets time to ask before its silence counts.
 */
export function useSilence(heardAt: number, limitMs: number): number | null {
  const now = useNow();
  const [shownAt, setShownAt] = useState(() => Date.now());
  useEffect(() => {
    const shown = () => setShownAt(Date.now());
    document.addEventListener('visibilitychange', shown);
    return () => document.removeEventListener('visibilitychange', shown);
  }, []);
  if (heardAt === 0 || now - Math.max(heardAt, shownAt) <= limitMs) return null;
  return now - heardAt;
}
