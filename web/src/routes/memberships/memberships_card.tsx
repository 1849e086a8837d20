import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { ExternalLink } from 'lucide-react';
import { type OwnMembership, paymentsApi } from '../../api/payments';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { Notice } from '../../ui/notice';
import { Pill } from '../../ui/pill';
import { Reading } from '../asking';
import { NoAnswer } from '../no_answer';
import { useLeaveTo } from '../payments/leave_to';
import { link } from '../payments/looks';
import { Refusal } from '../payments/refusal';
import { useMemberships, useOffers } from '../payments/use_payments';
import { dayText, priceText, tierName } from '../payments/words';

export function MembershipsCard() {
  const query = useMemberships(true);
  const items = query.data?.items ?? [];
  return (
    <Card title="Your memberships">
      {!query.data && !query.error && <Reading />}
      {query.error && <NoAnswer reason={query.error.message} onRetry={() => void query.refetch()} />}
      {query.data && items.length === 0 && (
        <p className="text-sm text-ink-2">
          You pay no memberships. On the page of a channel that offers some, “Join” shows what there is.
        </p>
      )}
      <ul className="divide-y divide-line">
        {items.map((item) => (
          <Membership key={`${item.channel} ${item.since}`} item={item} />
        ))}
      </ul>
      <Manage isPaying={items.length > 0} />
    </Card>
  );
}

function Membership({ item }: { item: OwnMembership }) {
  const offers = useOffers(item.channel ?? '', item.channel != null).data;
  const isShut = item.status === 'unpaid';
  const isMissing = item.status === 'past_due' || isShut;
  const day = dayText(item.period_end);
  return (
    <li className="flex flex-col gap-3 py-3.5 first:pt-0">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
        <div className="min-w-0">
          <p className="flex flex-wrap items-center gap-2 font-medium break-words">
            {item.channel ? (
              <Link to="/@{$handle}" params={{ handle: item.channel }} className={link}>
                {item.channel_name ?? item.channel}
              </Link>
            ) : (
              'A channel that is no more'
            )}
            {isMissing && <Pill tone="warn">Payment missing</Pill>}
            {!isMissing && item.ends && <Pill tone="neutral">Ends</Pill>}
          </p>
          <p className="text-sm text-ink-3">
            {tierName(offers?.tiers ?? [], item.tier)}, member since {dayText(item.since)}
          </p>
        </div>
        <div className="text-sm tabular-nums sm:text-right">
          <p className="font-medium">{priceText(item.price, item.period)}</p>
          {!isMissing && (
            <p className="text-ink-3">{item.ends ? `ends on ${day}` : `next payment on ${day}`}</p>
          )}
        </div>
      </div>
      {isMissing && (
        <Notice title="A payment is missing: put your card in order">
          “Manage or cancel” below opens the page for it.{' '}
          {isShut
            ? 'Until then the membership opens nothing.'
            : 'Until then the membership goes on for some days, and then it ends.'}
        </Notice>
      )}
    </li>
  );
}

/** To the page of Stripe's where memberships are ended, cards changed and invoices found. */
function Manage({ isPaying }: { isPaying: boolean }) {
  const [leaving, leaveTo] = useLeaveTo();
  const open = useMutation({ mutationFn: paymentsApi.billing, onSuccess: ({ url }) => leaveTo(url) });
  if (!isPaying) return null;
  return (
    <div className="mt-4 flex flex-col gap-3 border-t border-line pt-4">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="min-w-0 flex-1 basis-60 text-sm text-ink-2">
          At Stripe, who takes the payments: end a membership, change your card, find invoices.
        </p>
        <Button disabled={open.isPending || leaving} onClick={() => open.mutate()}>
          <ExternalLink aria-hidden size={16} />
          {open.isPending || leaving ? 'Opening' : 'Manage or cancel'}
        </Button>
      </div>
      <Refusal error={open.error} />
    </div>
  );
}
