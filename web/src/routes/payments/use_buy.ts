import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { ApiError } from '../../api/client';
import { type Order, paymentsApi } from '../../api/payments';
import { useAccount } from '../account';
import { useLeaveTo } from './leave_to';
import { membershipsKey, offersKey } from './use_payments';

type Unaddressed<T> = T extends unknown ? Omit<T, 'back'> : never;

/** What is opened again when somebody comes back from signing in. */
export type Opened = 'join' | 'tip';

/** Begins to pay; whoever is not signed in goes there first and comes back to what was open. */
export function useBuy(handle: string, opened: Opened) {
  const account = useAccount();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [leaving, leaveTo] = useLeaveTo();
  const begin = useMutation({
    mutationFn: async (order: Unaddressed<Order>) => {
      const { url } = await paymentsApi.buy(handle, { ...order, back: location.pathname } as Order);
      if (!url) throw new ApiError({ status: 0, detail: 'The page to pay did not open. Try again.' });
      return url;
    },
    onSuccess: leaveTo,
    // What is shown may be from before: another page has bought it, or the creator changed it.
    onError: () => {
      void queries.invalidateQueries({ queryKey: offersKey(handle) });
      void queries.invalidateQueries({ queryKey: membershipsKey });
    },
  });
  return {
    isSignedIn: Boolean(account),
    isBusy: begin.isPending || leaving,
    error: begin.error,
    reset: begin.reset,
    buy: (order: Unaddressed<Order>) => {
      if (account) begin.mutate(order);
      else void navigate({ to: '/login', search: { next: `${location.pathname}?${opened}=1` } });
    },
  };
}
