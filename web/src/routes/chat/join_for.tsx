/** The way to what only members may use in the chat. */
import { lazy, Suspense } from 'react';
import { audienceText } from '../../gates/words';
import { Dialog } from '../../ui/dialog';
import { useOffers } from '../payments/use_payments';
import { useChannel } from '../watch/use_channel';

/** For servers on which creators are paid. */
const JoinDialog = lazy(() => import('../payments/join_dialog'));

export function JoinFor({
  handle,
  least,
  onClose,
}: {
  handle: string;
  /** The tier that is needed. */
  least: number;
  onClose: () => void;
}) {
  const { data: offers, isLoading } = useOffers(handle);
  const channel = useChannel(handle).data;
  const isSold = offers?.enabled === true && offers.tiers.some(({ tier }) => tier >= least);
  if (isLoading || !channel) return null;
  if (isSold && !channel.owner) {
    return (
      <Suspense fallback={null}>
        <JoinDialog channel={channel} offers={offers} least={least} onClose={onClose} />
      </Suspense>
    );
  }
  return (
    <Dialog open onClose={onClose} title="This emote is for members">
      {`${audienceText({ who: 'members', tier: least })} of this channel may use it. `}
      {!channel.owner && 'Memberships are not sold here at the moment.'}
    </Dialog>
  );
}
