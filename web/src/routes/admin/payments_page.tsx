/** What Stripe told, what came of it, and the whole book. */
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useSearch } from '@tanstack/react-router';
import { bookApi, type LedgerEntry, type StripeEvent } from '../../api/payments';
import { moneyText } from '../../payments/money';
import { Button } from '../../ui/button';
import { Notice } from '../../ui/notice';
import { Pill } from '../../ui/pill';
import { sentence } from '../../words';
import { entryText } from '../payments/ledger_words';
import { link } from '../payments/looks';
import { PaymentsOff } from '../payments/off';
import { TestBadge } from '../payments/test_badge';
import { usePayments } from '../payments/use_payments';
import { AdminFrame } from './frame';
import { List, Row } from './list';

const WHEN = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' });
const eventsKey = ['admin', 'payments', 'events'];
const bookKey = ['admin', 'payments', 'book'];

export function PaymentsPage() {
  const mode = usePayments();
  return (
    <AdminFrame title="Payments">
      {mode === 'off' ? (
        <PaymentsOff />
      ) : (
        <>
          <TestBadge />
          <Book />
          <Events />
        </>
      )}
    </AdminFrame>
  );
}

function Book() {
  const query = useInfiniteQuery({
    queryKey: bookKey,
    queryFn: ({ pageParam }) => bookApi.ledger(pageParam),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
  });
  const items = query.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section className="flex flex-col gap-3">
      <h2 className="text-lg font-semibold">Ledger</h2>
      <p className="text-sm text-ink-2">All that came in and went back, on all channels, the newest first.</p>
      <List
        label="Ledger"
        error={query.error}
        isWaiting={query.isPending}
        empty={items.length === 0 ? 'Nothing was paid yet.' : null}
        onMore={query.hasNextPage ? () => void query.fetchNextPage() : undefined}
      >
        {items.map((entry) => (
          <Row
            key={entry.id}
            title={
              <>
                <span className="tabular-nums">{moneyText(entry)}</span>
                <span className="font-normal">{entryText(entry)}</span>
              </>
            }
            lines={[
              bookLine(entry),
              entry.message && `“${entry.message}”`,
              <Cause key="cause" entry={entry} />,
            ]}
          />
        ))}
      </List>
    </section>
  );
}

function bookLine(entry: LedgerEntry): string {
  const people = `${entry.from ?? 'a deleted account'} · ${entry.channel ? `@${entry.channel}` : 'a deleted channel'}`;
  const fee = entry.fee === 0 ? '' : ` · fee ${moneyText({ amount: entry.fee, currency: entry.currency })}`;
  return `${people}${fee} · ${WHEN.format(new Date(entry.at))}`;
}

/** "This event → this change". */
function Cause({ entry }: { entry: LedgerEntry }) {
  if (!entry.event) return <>Read from Stripe without an event.</>;
  return (
    <>
      By the event{' '}
      <Link
        to="/admin/payments"
        search={{ event: entry.event }}
        hash={entry.event}
        className={`font-mono ${link}`}
      >
        {entry.event}
      </Link>
    </>
  );
}

function Events() {
  const { event: chosen } = useSearch({ from: '/admin/payments' });
  const queries = useQueryClient();
  const query = useInfiniteQuery({
    queryKey: eventsKey,
    queryFn: ({ pageParam }) => bookApi.events(pageParam),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: 10_000,
  });
  const run = useMutation({
    mutationFn: bookApi.run,
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: eventsKey }),
        queries.invalidateQueries({ queryKey: bookKey }),
      ]),
  });
  const items = query.data?.pages.flatMap((page) => page.items) ?? [];
  const isHidden = chosen !== undefined && query.data && !items.some(({ id }) => id === chosen);
  return (
    <section className="flex flex-col gap-3">
      <h2 className="text-lg font-semibold">Events of Stripe’s</h2>
      <p className="text-sm text-ink-2">
        Each only says that something is to be read again: to run one again does no harm.
      </p>
      {run.error && <Notice title="That did not work">{run.error.message}</Notice>}
      {isHidden && (
        <Notice tone="info" title="This event is further down">
          Press “Show more” below until {chosen} is there.
        </Notice>
      )}
      <List
        label="Events"
        error={query.error}
        isWaiting={query.isPending}
        empty={items.length === 0 ? 'Stripe told nothing yet. Is its webhook set to this server?' : null}
        onMore={query.hasNextPage ? () => void query.fetchNextPage() : undefined}
      >
        {items.map((event) => (
          <Event
            key={event.id}
            event={event}
            isChosen={event.id === chosen}
            isBusy={run.isPending}
            onRun={() => run.mutate(event.id)}
          />
        ))}
      </List>
    </section>
  );
}

function Event({
  event,
  isChosen,
  isBusy,
  onRun,
}: {
  event: StripeEvent;
  isChosen: boolean;
  isBusy: boolean;
  onRun: () => void;
}) {
  const received = `received ${WHEN.format(new Date(event.received_at))}`;
  const done = event.done_at ? `done ${WHEN.format(new Date(event.done_at))}` : 'not done yet';
  return (
    <Row
      title={
        <>
          <code id={event.id} className="scroll-mt-24 font-mono">
            {event.kind}
          </code>
          {!event.done_at && <Pill tone="warn">Waits</Pill>}
          {isChosen && <Pill tone="neutral">Looked for</Pill>}
        </>
      }
      lines={[
        event.outcome ? sentence(event.outcome) : event.done_at ? 'It changed nothing.' : null,
        `${event.id} · about ${event.object}`,
        `${received} · ${done}`,
      ]}
      actions={
        <Button size="sm" disabled={isBusy} aria-label={`Run ${event.id} again`} onClick={onRun}>
          Run again
        </Button>
      }
    />
  );
}
