/** For whoever follows the link to gifts: takes one, or says why not. */
import { useEffect } from 'react';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Spinner } from '../../ui/spinner';
import { useAskAccessAgain } from '../gates/access';
import { useChannel } from '../watch/use_channel';
import { NewMember } from './new_member';
import { TakeButton } from './take_gift';
import { type Gift, useGift } from './use_gift';

export default function GiftDialog({
  handle,
  purchase,
  onClose,
}: {
  handle: string;
  purchase: string;
  onClose: () => void;
}) {
  const name = useChannel(handle).data?.name ?? handle;
  const gift = useGift(handle, purchase);
  const { standing } = gift;
  useAskOnce(handle);
  return (
    <Dialog
      open
      onClose={onClose}
      title={standing === 'taken' ? 'Enjoy your gift!' : `A membership of ${name} for you`}
      actions={
        <>
          <Button look={standing === 'taken' ? 'primary' : 'ghost'} onClick={onClose}>
            {standing === 'taken' ? 'Go on watching' : 'Close'}
          </Button>
          <TakeButton handle={handle} purchase={purchase} gift={gift} />
        </>
      }
    >
      <div role="status" className="flex flex-col gap-4">
        <Words gift={gift} name={name} />
      </div>
    </Dialog>
  );
}

/** Whoever has just signed in was somebody else when this was asked before. */
function useAskOnce(handle: string): void {
  const again = useAskAccessAgain(handle);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, as the dialog opens
  useEffect(() => void again(), []);
}

function Words({ gift: { standing, offers, error }, name }: { gift: Gift; name: string }) {
  if (standing === 'taken') return <NewMember offers={offers} tier={offers?.own_tier} name={name} />;
  if (error) return <p className="text-ink">{error.message}</p>;
  switch (standing) {
    case 'unknown':
      return (
        <p className="flex items-center gap-3">
          <Spinner /> One moment
        </p>
      );
    case 'member':
      return <p>You are a member of {name} already. Leave this one to somebody else.</p>;
    default:
      return <p>Somebody gives memberships of {name}. Each is for a month and costs you nothing.</p>;
  }
}
