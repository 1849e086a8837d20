import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';

export const NOTIFICATIONS = ['notifications'];

/** How many notifications were not read, as the server tells; the browser comes back by itself. */
export function useUnread(): number {
  const queries = useQueryClient();
  const [unread, setUnread] = useState(0);
  useEffect(() => {
    const source = new EventSource('/api/notifications/events');
    source.addEventListener('unread', ({ data }: MessageEvent<string>) => {
      const told = JSON.parse(data) as { unread: number };
      setUnread(told.unread);
      void queries.invalidateQueries({ queryKey: NOTIFICATIONS });
    });
    return () => source.close();
  }, [queries]);
  return unread;
}
