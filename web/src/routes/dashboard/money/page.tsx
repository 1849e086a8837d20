/** All that is about a channel's money: what it sells, who pays, what came in. */
import { useQuery } from '@tanstack/react-query';
import { Link, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { OwnChannel } from '../../../api/types';
import { buttonClass } from '../../../ui/button';
import { Notice } from '../../../ui/notice';
import { Reading } from '../../asking';
import { useHereInView } from '../../here_in_view';
import { instanceQuery } from '../../instance';
import { NoAnswer } from '../../no_answer';
import { PaymentsOff } from '../../payments/off';
import { TestBadge } from '../../payments/test_badge';
import { DashboardFrame } from '../frame';
import { AlertsCard } from './alerts_card';
import { MembersCard } from './members_card';
import { PARTS, type Part } from './parts';
import { PaymentsCard } from './payments_card';
import { RevenueCard } from './revenue_card';
import { SetUpCard } from './set_up_card';
import { ShopCard } from './shop_card';
import { TicketsCard } from './tickets_card';
import { useShop } from './use_shop';

export function MoneyPage() {
  return (
    <DashboardFrame section="/dashboard/money">{(channel) => <Money channel={channel} />}</DashboardFrame>
  );
}

function Money({ channel }: { channel: OwnChannel }) {
  const house = useQuery(instanceQuery);
  if (!house.data) {
    return house.failureReason ? (
      <NoAnswer reason={house.failureReason.message} onRetry={() => void house.refetch()} />
    ) : (
      <Reading />
    );
  }
  return house.data.payments === 'off' ? <PaymentsOff /> : <Parts handle={channel.handle} />;
}

function Parts({ handle }: { handle: string }) {
  const search = useSearch({ from: '/dashboard/money' });
  const shop = useShop(handle);
  const part = search.part ?? 'revenue';
  if (!shop.data) {
    return shop.failureReason ? (
      <NoAnswer reason={shop.failureReason.message} onRetry={() => void shop.refetch()} />
    ) : (
      <Reading />
    );
  }
  const isNew = shop.data.tiers.length === 0 && !shop.data.takes_tips;
  return (
    <div className="flex max-w-4xl flex-col gap-4 lg:gap-6">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <h2 className="text-lg font-semibold">Money</h2>
        <TestBadge />
      </div>
      <Nav />
      {!shop.data.can_sell && part !== 'set-up' ? (
        <Notice title="Nothing can be sold yet" action={<To part="set-up">Go to the set-up</To>}>
          Tell Stripe first where your money shall go. It takes some minutes. What you prepare here waits
          until then.
        </Notice>
      ) : (
        isNew &&
        part === 'revenue' && (
          <Notice tone="info" title="Nothing is sold yet" action={<To part="sell">Set prices</To>}>
            Offer memberships or take tips, and viewers find them on your page.
          </Notice>
        )
      )}
      {part === 'revenue' && <RevenueCard handle={handle} />}
      {part === 'sell' && <ShopCard handle={handle} shop={shop.data} />}
      {part === 'tickets' && <TicketsCard handle={handle} currency={shop.data.currency} />}
      {part === 'members' && <MembersCard handle={handle} tiers={shop.data.tiers} />}
      {part === 'payments' && <PaymentsCard handle={handle} />}
      {part === 'alerts' && <AlertsCard handle={handle} shop={shop.data} />}
      {part === 'set-up' && <SetUpCard feePercent={shop.data.fee_percent} />}
    </div>
  );
}

function Nav() {
  const search = useSearch({ from: '/dashboard/money' });
  const part = search.part ?? 'revenue';
  const nav = useHereInView(part);
  return (
    <nav ref={nav} aria-label="Money" className="-mx-1 flex gap-1 overflow-x-auto p-1">
      {PARTS.map(({ part: each, label }) => (
        <Link
          key={each}
          to="/dashboard/money"
          search={{ ...search, part: each }}
          aria-current={each === part ? 'page' : undefined}
          activeProps={{}}
          className="inline-flex min-h-11 shrink-0 items-center rounded-control px-3 text-sm font-medium text-ink-2 hover:text-ink aria-[current=page]:bg-surface-2 aria-[current=page]:text-ink"
        >
          {label}
        </Link>
      ))}
    </nav>
  );
}

function To({ part, children }: { part: Part; children: ReactNode }) {
  const search = useSearch({ from: '/dashboard/money' });
  return (
    <Link to="/dashboard/money" search={{ ...search, part }} className={buttonClass('secondary', 'sm')}>
      {children}
    </Link>
  );
}
