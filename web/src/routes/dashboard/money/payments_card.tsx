/** The book of a channel: what came in and went back, and giving money back. */
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { Download } from 'lucide-react';
import { useState } from 'react';
import { type LedgerEntry, shopApi } from '../../../api/payments';
import { moneyText } from '../../../payments/money';
import { Button, buttonClass } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { Ask, type Question } from '../../admin/ask';
import { Reading } from '../../asking';
import { NoAnswer } from '../../no_answer';
import { entryText, givenBack } from '../../payments/ledger_words';
import { DaysSelect } from './days_select';
import { EVERY_MS, moneyKey } from './use_shop';

const WHEN = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });

export function PaymentsCard({ handle }: { handle: string }) {
  const queries = useQueryClient();
  const [days, setDays] = useState(30);
  const [question, setQuestion] = useState<Question | null>(null);
  const query = useInfiniteQuery({
    queryKey: [...moneyKey(handle), 'ledger'],
    queryFn: ({ pageParam }) => shopApi.ledger(handle, pageParam),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: EVERY_MS,
  });
  const items = query.data?.pages.flatMap((page) => page.items) ?? [];
  const back = givenBack(items);
  const refund = (entry: LedgerEntry) => async () => {
    await shopApi.refund(handle, entry.payment);
    await queries.invalidateQueries({ queryKey: moneyKey(handle) });
  };
  return (
    <>
      <Card
        title="Payments"
        aside={
          <div className="flex flex-wrap items-center gap-2">
            <DaysSelect days={days} onChange={setDays} />
            <a
              href={`/api/channels/${encodeURIComponent(handle)}/ledger.csv?days=${days}`}
              download
              className={buttonClass('secondary')}
            >
              <Download aria-hidden size={16} />
              Table (CSV)
            </a>
          </div>
        }
      >
        {query.isPending && <Reading />}
        {query.error && <NoAnswer reason={query.error.message} onRetry={() => void query.refetch()} />}
        {query.data && items.length === 0 && (
          <p className="text-sm text-ink-2">
            Nothing was paid yet. Each payment, refund and dispute is written down here.
          </p>
        )}
        <ul className="divide-y divide-line">
          {items.map((entry) => (
            <li
              key={entry.id}
              className="flex flex-wrap items-center gap-x-4 gap-y-2 py-3 first:pt-0 last:pb-0"
            >
              <div className="min-w-0 flex-1 basis-52">
                <p className="text-sm font-medium break-words">
                  {entryText(entry)}{' '}
                  <span className="font-normal text-ink-2">
                    {wayOf(entry)} {entry.from ?? 'a deleted account'}
                  </span>
                </p>
                {entry.message && (
                  <p className="text-sm break-words text-ink-2 [overflow-wrap:anywhere]">“{entry.message}”</p>
                )}
                <p className="text-sm text-ink-3 tabular-nums">{WHEN.format(new Date(entry.at))}</p>
              </div>
              <div className="text-right text-sm tabular-nums">
                <p className="font-medium">{moneyText(entry)}</p>
                {entry.fee !== 0 && (
                  <p className="text-ink-3">
                    {moneyText({ amount: entry.fee, currency: entry.currency })} fee
                  </p>
                )}
              </div>
              {entry.entry === 'payment' && (
                <Button
                  size="sm"
                  disabled={back.has(entry.payment)}
                  aria-label={`Refund ${moneyText(entry)} to ${entry.from ?? 'a deleted account'}`}
                  onClick={() => setQuestion({ ...askFor(entry), run: refund(entry) })}
                >
                  {back.has(entry.payment) ? 'Given back' : 'Refund'}
                </Button>
              )}
            </li>
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
      <Ask question={question} onClose={() => setQuestion(null)} />
    </>
  );
}

function wayOf({ entry }: LedgerEntry): string {
  if (entry === 'refund') return 'to';
  return entry === 'dispute' ? 'by' : 'from';
}

function askFor(entry: LedgerEntry): Omit<Question, 'run'> {
  const amount = moneyText(entry);
  const ends = {
    membership: 'The membership ends at once, and with it all that it lets into.',
    gift: 'The memberships that were given end at once.',
    ticket: 'The ticket ends at once: it lets nobody in any more.',
  }[entry.kind];
  return {
    title: `Refund ${amount}?`,
    words: (
      <>
        {amount} goes back to {entry.from ?? 'a deleted account'}, all of it. {ends} It cannot be undone.
      </>
    ),
    act: `Refund ${amount}`,
  };
}
