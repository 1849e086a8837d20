import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type ShopEdit, shopApi } from '../../../api/payments';
import { offersKey } from '../../payments/use_payments';

/** All that is asked of a channel's money; to be asked again after each change. */
export function moneyKey(handle: string): string[] {
  return ['money', handle];
}

/** What comes in is seen without asking. */
export const EVERY_MS = 10_000;

/** How a channel sells. */
export function useShop(handle: string) {
  return useQuery({ queryKey: [...moneyKey(handle), 'shop'], queryFn: () => shopApi.show(handle) });
}

export function useEditShop(handle: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (edit: ShopEdit) => shopApi.edit(handle, edit),
    onSuccess: (shop) => {
      queries.setQueryData([...moneyKey(handle), 'shop'], shop);
      return queries.invalidateQueries({ queryKey: offersKey(handle) });
    },
  });
}
