/** All that can be bought of a channel, but for tips: memberships, for oneself or others, and tickets. */
import { Gift } from 'lucide-react';
import { useState } from 'react';
import type { ChannelPage } from '../../api/channels';
import type { Offers } from '../../api/payments';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { useAccount } from '../account';
import { GiftForm } from './gift_form';
import { MembershipForm } from './membership_form';
import { OwnTier } from './own_tier';
import { TestBadge } from './test_badge';
import { TicketList } from './ticket_list';
import { useMemberships } from './use_payments';

export default function JoinDialog({
  channel,
  offers,
  least = 1,
  onClose,
}: {
  channel: Pick<ChannelPage, 'handle' | 'name'>;
  offers: Offers;
  /** The tier that is needed: it is what is proposed. */
  least?: number;
  onClose: () => void;
}) {
  const account = useAccount();
  const [gives, setGives] = useState(false);
  const isMember = offers.own_tier != null;
  const paid = useMemberships(Boolean(account) && isMember);
  const own = paid.data?.items.find((held) => held.channel === channel.handle) ?? null;
  const sellsTiers = offers.tiers.length > 0;
  const title = gives
    ? `Gift memberships of ${channel.name}`
    : sellsTiers || isMember
      ? isMember
        ? `Your membership of ${channel.name}`
        : `Join ${channel.name}`
      : `Tickets of ${channel.name}`;
  return (
    <Dialog open onClose={onClose} title={title}>
      <div className="flex flex-col gap-5 text-ink">
        <TestBadge />
        {gives ? (
          <GiftForm handle={channel.handle} offers={offers} onBack={() => setGives(false)} />
        ) : (
          <>
            {isMember && (
              <OwnTier
                handle={channel.handle}
                offers={offers}
                own={own}
                known={!paid.isPending}
                least={least}
              />
            )}
            {sellsTiers && !isMember && (
              <MembershipForm handle={channel.handle} offers={offers} least={least} />
            )}
            {sellsTiers && isMember && !own && !paid.isPending && (
              <MembershipForm handle={channel.handle} offers={offers} least={least} />
            )}
            {sellsTiers && (
              <div className="flex flex-wrap items-center justify-between gap-3 border-t border-line pt-4">
                <p className="text-sm text-ink-2">Give a month to others in the chat.</p>
                <Button size="sm" onClick={() => setGives(true)}>
                  <Gift aria-hidden size={16} />
                  Gift memberships
                </Button>
              </div>
            )}
            {offers.tickets.length > 0 && (
              <TicketList handle={channel.handle} tickets={offers.tickets} titled={sellsTiers || isMember} />
            )}
          </>
        )}
      </div>
    </Dialog>
  );
}
