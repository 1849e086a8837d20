/** Who did what, newest first; bans and time-outs can be taken back. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Undo2 } from 'lucide-react';
import { chatApi } from '../../api/chat';
import { Button } from '../../ui/button';
import { ago, useNow } from '../../ui/time';
import { useActs } from '../chat/acts';
import { actionWords, standing } from './words';

export function ActionLog() {
  const { handle, act, showCard } = useActs();
  const now = useNow();
  const log = useInfiniteQuery({
    queryKey: ['chat', handle, 'actions'],
    queryFn: ({ pageParam }) => chatApi.actions(handle, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next_cursor }) => next_cursor ?? undefined,
    refetchInterval: 5000,
  });
  const items = log.data?.pages.flatMap((page) => page.items) ?? [];
  const stands = standing(items);
  return (
    <div className="min-h-0 flex-1 overflow-y-auto p-3">
      {log.error && (
        <p role="alert" className="text-sm text-warn-text">
          {log.error.message}
        </p>
      )}
      {log.data && items.length === 0 && (
        <p className="p-4 text-center text-sm text-ink-3">Nothing was done yet.</p>
      )}
      <ul aria-label="What moderators did" className="flex flex-col divide-y divide-line">
        {items.map((action) => (
          <li key={action.id} className="flex items-center gap-3 py-2 text-sm">
            <span className="min-w-0 flex-1 break-words text-ink-2">
              {actionWords(action)}
              <span className="block text-xs text-ink-3">{ago(action.at, now)}</span>
            </span>
            {stands.has(action.id) && (
              <Button
                size="sm"
                look="ghost"
                aria-label={`Take back: ${actionWords(action)}`}
                onClick={async () => {
                  const subject = action.subject ?? '';
                  const name = action.subject_name ?? subject;
                  await act(() => chatApi.release(handle, subject), `${name} may write again.`);
                  await log.refetch();
                }}
              >
                <Undo2 aria-hidden size={15} /> Undo
              </Button>
            )}
            {!stands.has(action.id) && action.subject && (
              <Button size="sm" look="ghost" onClick={() => showCard(action.subject ?? null)}>
                Card
              </Button>
            )}
          </li>
        ))}
      </ul>
      {log.hasNextPage && (
        <Button
          size="sm"
          className="mt-3"
          disabled={log.isFetchingNextPage}
          onClick={() => void log.fetchNextPage()}
        >
          Show more
        </Button>
      )}
    </div>
  );
}
