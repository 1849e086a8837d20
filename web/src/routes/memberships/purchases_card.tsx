import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type Purchase, paymentsApi } from '../../api/payments';
import { giftPath } from '../../payments/gift';
import { moneyText } from '../../payments/money';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { CopyButton } from '../../ui/copy';
import { Reading } from '../asking';
import { NoAnswer } from '../no_answer';
import { link } from '../payments/looks';
import { counted } from '../payments/words';

const WHEN = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });

export function PurchasesCard() {
  const query = useInfiniteQuery({
    queryKey: ['account', 'purchases'],
    queryFn: ({ pageParam }) => paymentsApi.purchases(pageParam),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
  });
  const items = query.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Card title="What you paid">
      {query.isPending && <Reading />}
      {query.error && <NoAnswer reason={query.error.message} onRetry={() => void query.refetch()} />}
      {query.data && items.length === 0 && (
        <p className="text-sm text-ink-2">
          You paid nothing here yet. Memberships, gifts, tips and tickets stand here once you have.
        </p>
      )}
      <ul className="divide-y divide-line">
        {items.map((item) => (
          <Row key={item.id} item={item} />
        ))}
      </ul>
      {query.hasNextPage && (
        <Button
          size="sm"
          className="mt-3"
          disabled={query.isFetchingNextPage}
          onClick={() => void query.fetchNextPage()}
        >
          Show more
        </Button>
      )}
    </Card>
  );
}

function Row({ item }: { item: Purchase }) {
  return (
    <li className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1 py-3 first:pt-0 last:pb-0">
      <div className="min-w-0 flex-1 basis-56">
        <p className="flex flex-wrap items-center gap-2 text-sm font-medium break-words">
          {whatOf(item)}{' '}
          {item.channel && (
            <span className="font-normal">
              for{' '}
              <Link to="/@{$handle}" params={{ handle: item.channel }} className={link}>
                {item.channel_name ?? item.channel}
              </Link>
            </span>
          )}
        </p>
        {item.message && (
          <p className="text-sm break-words text-ink-2 [overflow-wrap:anywhere]">“{item.message}”</p>
        )}
        <p className="text-sm text-ink-3">{WHEN.format(new Date(item.paid_at ?? item.created_at))}</p>
        {item.channel && (item.gifts_left ?? 0) > 0 && (
          <div className="mt-1.5 flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
            {counted(item.gifts_left ?? 0, 'gift')} left
            <CopyButton
              text={location.origin + giftPath(item.channel, item.id)}
              label="Copy the link"
              what="to the gifts that are left"
            />
          </div>
        )}
      </div>
      <p className="text-sm font-medium tabular-nums">{moneyText(item.price)}</p>
    </li>
  );
}

function whatOf({ kind, quantity }: Purchase): string {
  switch (kind) {
    case 'membership':
      return 'Membership';
    case 'gift':
      return counted(quantity, 'gifted membership');
    case 'tip':
      return 'Tip';
    case 'ticket':
      return 'Ticket';
  }
}
