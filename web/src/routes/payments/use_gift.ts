import { useMutation } from '@tanstack/react-query';
import { ApiError } from '../../api/client';
import { paymentsApi } from '../../api/payments';
import { giftStanding } from '../../payments/gift';
import { useAccount } from '../account';
import { useAskAccessAgain } from '../gates/access';
import { useOffers } from './use_payments';

/** How one stands to the gifts of a purchase, and taking one of them. */
export function useGift(handle: string, purchase: string) {
  const account = useAccount();
  const offers = useOffers(handle);
  const again = useAskAccessAgain(handle);
  // Whatever came of it, what the page knows of the membership may be old.
  const take = useMutation({ mutationFn: () => paymentsApi.claim(purchase), onSettled: again });
  const { error } = take;
  const standing = giftStanding({
    isSignedIn: account === undefined ? null : account !== null,
    // Where that cannot be told, the server says it to whoever tries.
    isMember: offers.data ? offers.data.own_tier != null : offers.isError ? false : null,
    isTaken: take.isSuccess,
    refused: error instanceof ApiError ? error.code : null,
  });
  return { standing, offers: offers.data, error, isBusy: take.isPending, take: () => take.mutate() };
}

export type Gift = ReturnType<typeof useGift>;
