/** Beneath the line that tells of gifts: the way to one that is left. */
import { Link } from '@tanstack/react-router';
import { Gift as Icon } from 'lucide-react';
import { giftPath } from '../../payments/gift';
import { Button, buttonClass } from '../../ui/button';
import { type Gift, useGift } from './use_gift';
import { tierName } from './words';

export default function TakeGift({ handle, purchase }: { handle: string; purchase: string }) {
  const gift = useGift(handle, purchase);
  const { standing, offers, error, isBusy } = gift;
  return (
    <div className="flex flex-col items-start text-sm text-ink *:mt-1.5">
      <TakeButton handle={handle} purchase={purchase} gift={gift} />
      <p role="status" className="empty:hidden">
        {standing === 'taken' && `You are a member now: ${tierName(offers?.tiers ?? [], offers?.own_tier)}.`}
      </p>
      {error && !isBusy && (
        <p role="alert" className="text-warn-text">
          {error.message}
        </p>
      )}
    </div>
  );
}

/** The button, or the way to it. */
export function TakeButton({
  handle,
  purchase,
  gift: { standing, isBusy, take },
}: {
  handle: string;
  purchase: string;
  gift: Gift;
}) {
  return (
    <>
      {standing === 'open' && (
        <Button look="primary" size="sm" className="pointer-coarse:min-h-11" disabled={isBusy} onClick={take}>
          <Icon aria-hidden size={16} />
          {isBusy ? 'Taking it' : 'Take one'}
        </Button>
      )}
      {standing === 'stranger' && (
        <Link
          to="/login"
          search={{ next: giftPath(handle, purchase) }}
          className={`${buttonClass('primary', 'sm')} pointer-coarse:min-h-11`}
        >
          <Icon aria-hidden size={16} />
          Sign in to take one
        </Link>
      )}
    </>
  );
}
