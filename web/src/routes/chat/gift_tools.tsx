/** What there is to do with gifts of which some were left: one is taken, or the way to them handed on. */
import { lazy, Suspense } from 'react';
import type { Message, You } from '../../chat/protocol';
import { giftPath } from '../../payments/gift';
import { CopyButton } from '../../ui/copy';

/** For servers on which creators are paid. */
const TakeGift = lazy(() => import('../payments/take_gift'));

export function GiftTools({
  message: { from, support },
  handle,
  you,
}: {
  message: Message;
  handle: string;
  you: You;
}) {
  const claim = support?.claim ?? null;
  // Who runs the channel has what members have.
  if (claim === null || you.role === 'owner' || you.role === 'moderator') return null;
  if (from.id === you.id) {
    return (
      <div className="mt-1.5">
        <CopyButton
          text={location.origin + giftPath(handle, claim)}
          label="Copy the link"
          what="to the gifts that are left"
        />
      </div>
    );
  }
  return (
    <Suspense fallback={null}>
      <TakeGift handle={handle} purchase={claim} />
    </Suspense>
  );
}
