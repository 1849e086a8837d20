/** What came in, day by day, and what is on its way to the bank. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { type Revenue, shopApi } from '../../../api/payments';
import { moneyText } from '../../../payments/money';
import { Card } from '../../../ui/card';
import { useNow } from '../../../ui/time';
import { Reading } from '../../asking';
import { NoAnswer } from '../../no_answer';
import { DaysSelect } from './days_select';
import { seriesOf } from './revenue';
import { RevenueGraph } from './revenue_graph';
import { EVERY_MS, moneyKey } from './use_shop';

export function RevenueCard({ handle }: { handle: string }) {
  const [days, setDays] = useState(30);
  const query = useQuery({
    queryKey: [...moneyKey(handle), 'revenue', days],
    queryFn: () => shopApi.revenue(handle, days),
    refetchInterval: EVERY_MS,
    placeholderData: (before) => before,
  });
  return (
    <>
      <Card title="Revenue" aside={<DaysSelect days={days} onChange={setDays} />}>
        {!query.data && !query.error && <Reading />}
        {query.error && <NoAnswer reason={query.error.message} onRetry={() => void query.refetch()} />}
        {query.data && <Graphs revenue={query.data} days={days} />}
      </Card>
      {query.data && <Payout revenue={query.data} />}
    </>
  );
}

function Graphs({ revenue, days }: { revenue: Revenue; days: number }) {
  const now = useNow(false);
  const all = seriesOf(revenue, days, now);
  return (
    <div className="flex flex-col gap-6">
      {all.length === 0 && <p className="text-sm text-ink-2">Nothing came in during this time.</p>}
      {all.map((series) => {
        const { currency, total, fee } = series;
        return (
          <section key={currency} aria-label={`Revenue in ${currency.toUpperCase()}`}>
            <dl className="mb-3 flex flex-wrap gap-x-8 gap-y-2">
              <Figure name="In all" value={moneyText({ amount: total, currency })} />
              {fee !== 0 && (
                <>
                  <Figure name="Kept by this server" value={moneyText({ amount: fee, currency })} />
                  <Figure name="Yours" value={moneyText({ amount: total - fee, currency })} />
                </>
              )}
              <Figure name="Payments" value={String(series.payments)} />
            </dl>
            <RevenueGraph series={series} />
          </section>
        );
      })}
      <p className="text-sm text-ink-3">
        {revenue.members === 1 ? '1 member' : `${revenue.members} members`} now. Days are counted in UTC; what
        you gave back is taken off on the day of the refund.
      </p>
    </div>
  );
}

function Payout({ revenue }: { revenue: Revenue }) {
  return (
    <Card title="Upcoming payout">
      {!revenue.balance && (
        <p className="text-sm text-ink-2">
          Stripe could not be asked, or no account is connected yet. Look again later, or at “Set-up”.
        </p>
      )}
      {revenue.balance?.length === 0 && <p className="text-sm text-ink-2">Nothing is to be paid out.</p>}
      <ul className="flex flex-col gap-3">
        {revenue.balance?.map(({ currency, available, pending }) => (
          <li key={currency}>
            <dl className="flex flex-wrap gap-x-8 gap-y-2">
              <Figure name="Ready to be paid out" value={moneyText({ amount: available, currency })} />
              <Figure name="Ready within days" value={moneyText({ amount: pending, currency })} />
            </dl>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt className="text-sm text-ink-3">{name}</dt>
      <dd className="text-xl font-semibold tracking-tight tabular-nums">{value}</dd>
    </div>
  );
}
