import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { CircleCheck, Clock, RotateCw, TriangleAlert } from 'lucide-react';
import { type Delivery, webhooks } from '../../api/webhooks';
import { Button } from '../../ui/button';
import { Notice } from '../../ui/notice';
import { ago, useNow } from '../../ui/time';
import { sentence } from '../../words';

const STATES = {
  delivered: { icon: CircleCheck, words: 'Delivered', tone: 'text-ink-2' },
  waiting: { icon: Clock, words: 'Waiting', tone: 'text-ink-2' },
  failed: { icon: TriangleAlert, words: 'Failed', tone: 'text-warn-text' },
} as const;

/** What was posted lately, and what came of it. */
export function Deliveries({ handle, hook }: { handle: string; hook: string }) {
  const queries = useQueryClient();
  const queryKey = ['deliveries', hook];
  const log = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam }) => webhooks.deliveries(handle, hook, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next_cursor }) => next_cursor ?? undefined,
    refetchInterval: ({ state }) =>
      state.data?.pages.some(({ items }) => items.some((delivery) => delivery.state === 'waiting'))
        ? 2000
        : 15_000,
  });
  const replay = useMutation({
    mutationFn: (delivery: string) => webhooks.replay(handle, hook, delivery),
    onSuccess: () => queries.invalidateQueries({ queryKey }),
  });
  const items = log.data?.pages.flatMap((page) => page.items) ?? [];
  const failure = replay.error ?? log.error;
  return (
    <div>
      <h4 className="text-sm font-medium">Deliveries</h4>
      {failure && (
        <div className="mt-2">
          <Notice title="That did not work">{failure.message}</Notice>
        </div>
      )}
      {log.data && items.length === 0 && (
        <p className="mt-1 text-sm text-ink-3">None yet. Send a test to see whether your program answers.</p>
      )}
      <ul className="mt-1 divide-y divide-line">
        {items.map((delivery) => (
          <Row
            key={delivery.id}
            delivery={delivery}
            busy={replay.isPending}
            onReplay={() => replay.mutate(delivery.id)}
          />
        ))}
      </ul>
      {log.hasNextPage && (
        <Button
          size="sm"
          className="mt-2"
          disabled={log.isFetchingNextPage}
          onClick={() => void log.fetchNextPage()}
        >
          Show more
        </Button>
      )}
    </div>
  );
}

function Row({ delivery, busy, onReplay }: { delivery: Delivery; busy: boolean; onReplay: () => void }) {
  const now = useNow();
  const { icon: Icon, words, tone } = STATES[delivery.state];
  const facts = [
    delivery.status != null ? `status ${delivery.status}` : null,
    delivery.took_ms != null ? `${delivery.took_ms} ms` : null,
    delivery.attempts > 1 ? `${delivery.attempts} tries` : null,
    ago(delivery.tried_at ?? delivery.created_at, now),
  ].filter((fact) => fact !== null);
  return (
    <li className="py-2.5">
      <div className="flex items-center gap-3">
        <Icon aria-hidden size={18} className={`shrink-0 ${tone}`} />
        <div className="min-w-0 flex-1 text-sm">
          <p className="truncate">
            <span className={`font-medium ${tone}`}>{words}</span>{' '}
            <code className="font-mono text-xs">{delivery.kind}</code>
          </p>
          <p className="text-ink-3 tabular-nums">{facts.join(' · ')}</p>
        </div>
        <Button
          size="sm"
          look="ghost"
          disabled={busy}
          onClick={onReplay}
          aria-label={`Replay ${delivery.kind}`}
        >
          <RotateCw aria-hidden size={16} />
          <span className="max-sm:sr-only">Replay</span>
        </Button>
      </div>
      {delivery.problem && (
        <p className="mt-1 pl-[30px] text-sm text-warn-text [overflow-wrap:anywhere]">
          {sentence(delivery.problem)}
        </p>
      )}
      <details className="mt-1 pl-[30px] text-sm text-ink-2">
        <summary className="cursor-pointer py-1">What was sent and answered</summary>
        <pre className="mt-1 max-h-60 overflow-auto rounded-control bg-surface-0 p-3 font-mono text-xs whitespace-pre-wrap [overflow-wrap:anywhere]">
          {delivery.body}
          {delivery.answer ? `\n\n${delivery.answer}` : ''}
        </pre>
      </details>
    </li>
  );
}
