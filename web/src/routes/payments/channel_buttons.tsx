/** What one can pay on a channel's page: a membership, a tip, tickets. Nothing where nothing is sold. */
import { BadgeCheck, HandCoins, Ticket, UserPlus } from 'lucide-react';
import { lazy, Suspense, useEffect, useState } from 'react';
import type { ChannelPage } from '../../api/channels';
import type { Offers } from '../../api/payments';
import { Button } from '../../ui/button';
import type { Opened } from './use_buy';
import { useOffers } from './use_payments';
import { tierName } from './words';

const JoinDialog = lazy(() => import('./join_dialog'));
const TipDialog = lazy(() => import('./tip_dialog'));

type Sold = Pick<ChannelPage, 'handle' | 'name'>;

export default function ChannelButtons({
  channel,
  only,
  least = 1,
}: {
  channel: Sold;
  /** Where a page is about one thing alone. */
  only?: Opened;
  /** The tier that is needed. */
  least?: number;
}) {
  const offers = useOffers(channel.handle).data;
  const [open, setOpen] = useState<Opened | null>(null);
  useEffect(() => {
    // The page itself looks after this; what else stands on it does not open the same again.
    if (only === undefined) setOpen(takeWish());
  }, [only]);
  if (!offers?.enabled) return null;
  const close = () => setOpen(null);
  return (
    <>
      {only !== 'tip' && (offers.tiers.length > 0 || offers.tickets.length > 0) && (
        <Button look={only ? 'primary' : 'secondary'} aria-haspopup="dialog" onClick={() => setOpen('join')}>
          <JoinWords offers={offers} least={least} />
        </Button>
      )}
      {only !== 'join' && offers.tips && (
        <Button aria-haspopup="dialog" onClick={() => setOpen('tip')}>
          <HandCoins aria-hidden size={16} />
          Tip
        </Button>
      )}
      <Suspense fallback={null}>
        {open === 'join' && <JoinDialog channel={channel} offers={offers} least={least} onClose={close} />}
        {open === 'tip' && offers.tips && (
          <TipDialog channel={channel} offers={offers} tips={offers.tips} onClose={close} />
        )}
      </Suspense>
    </>
  );
}

function JoinWords({ offers, least }: { offers: Offers; least: number }) {
  if (offers.own_tier != null && offers.own_tier < least) {
    return (
      <>
        <BadgeCheck aria-hidden size={16} />
        Change tier
      </>
    );
  }
  if (offers.own_tier != null) {
    return (
      <>
        <BadgeCheck aria-hidden size={16} />
        <span className="max-w-48 truncate">Member · {tierName(offers.tiers, offers.own_tier)}</span>
      </>
    );
  }
  const sellsTiers = offers.tiers.length > 0;
  const Icon = sellsTiers ? UserPlus : Ticket;
  return (
    <>
      <Icon aria-hidden size={16} />
      {sellsTiers ? 'Join' : 'Tickets'}
    </>
  );
}

/** What the address says that shall be open, taken out of it: somebody comes back from signing in. */
function takeWish(): Opened | null {
  const query = new URLSearchParams(location.search);
  const wish = (['join', 'tip'] as const).find((each) => query.has(each));
  if (!wish) return null;
  query.delete(wish);
  const rest = query.toString();
  history.replaceState(history.state, '', location.pathname + (rest === '' ? '' : `?${rest}`));
  return wish;
}
