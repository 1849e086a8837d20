/** Says what became of a payment to whoever comes back from the page where it was made. */
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { type Purchase, paymentsApi } from '../../api/payments';
import { moneyText } from '../../payments/money';
import { type Standing, watchPurchase } from '../../payments/purchase_watch';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Spinner } from '../../ui/spinner';
import { askAccessAgain } from '../gates/access';
import { NewMember, Said } from './new_member';
import { TestBadge } from './test_badge';
import { useOffers } from './use_payments';
import { counted } from './words';

export default function PurchaseDialog({
  id,
  handle,
  onClose,
}: {
  id: string;
  handle: string;
  onClose: () => void;
}) {
  const queries = useQueryClient();
  const [standing, setStanding] = useState<Standing<Purchase>>({ name: 'waiting' });
  useEffect(() => watchPurchase(() => paymentsApi.purchase(id), setStanding), [id]);
  const isDecided = standing.name === 'paid' || standing.name === 'slow';
  useEffect(() => {
    if (!isDecided) return;
    void askAccessAgain(queries, handle);
  }, [isDecided, queries, handle]);
  return (
    <Dialog
      open
      onClose={onClose}
      title={titleOf(standing)}
      actions={
        <Button look={standing.name === 'waiting' ? 'secondary' : 'primary'} onClick={onClose}>
          {standing.name === 'paid' ? 'Go on watching' : 'Close'}
        </Button>
      }
    >
      <div role="status" className="flex flex-col gap-4">
        <TestBadge />
        <Words standing={standing} handle={handle} />
      </div>
    </Dialog>
  );
}

function titleOf(standing: Standing<Purchase>): string {
  switch (standing.name) {
    case 'waiting':
      return 'Your payment';
    case 'slow':
      return 'It takes a little longer';
    case 'unpaid':
      return 'Nothing was paid';
    case 'unknown':
      return 'This payment is not found';
    case 'paid':
      return 'Thank you!';
  }
}

function Words({ standing, handle }: { standing: Standing<Purchase>; handle: string }) {
  switch (standing.name) {
    case 'waiting':
      return (
        <p className="flex items-center gap-3">
          <Spinner /> Waiting for the payment to arrive
        </p>
      );
    case 'slow':
      return (
        <p>
          It can take a few minutes; you need not wait. As soon as it has arrived, it shows on this page and
          under “Memberships and payments”.
        </p>
      );
    case 'unpaid':
      return <p>The payment did not go through, or took too long. Begin again to try with another card.</p>;
    case 'unknown':
      return (
        <p>
          Perhaps you are signed in with another account than the one that paid. Sign in with that one to see
          it.
        </p>
      );
    case 'paid':
      return <Thanks purchase={standing.purchase} handle={handle} />;
  }
}

function Thanks({ purchase, handle }: { purchase: Purchase; handle: string }) {
  const offers = useOffers(handle).data;
  const name = purchase.channel_name ?? 'the channel';
  const price = moneyText(purchase.price);
  switch (purchase.kind) {
    case 'membership':
      return <NewMember offers={offers} tier={purchase.tier} name={name} />;
    case 'tip':
      return (
        <Said>
          Your tip of {price} is sent to {name}.
        </Said>
      );
    case 'gift':
      return <Said>Your gifts are on their way: {counted(purchase.quantity, 'membership')} for others.</Said>;
    case 'ticket':
      return <Said>The ticket is yours. It lets you in by itself when the stream begins.</Said>;
  }
}
