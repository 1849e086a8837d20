import { useQuery } from '@tanstack/react-query';
import { type PaymentMode, paymentsApi } from '../../api/payments';
import { instanceQuery } from '../instance';

/** Whether creators are paid here; until the server has said so, they are not. */
export function usePayments(): PaymentMode {
  return useQuery(instanceQuery).data?.payments ?? 'off';
}

export function offersKey(handle: string): string[] {
  return ['offers', handle];
}

/** What a channel sells, and what of it is one's own. */
export function useOffers(handle: string, wanted = true) {
  const isOn = usePayments() !== 'off';
  return useQuery({
    queryKey: offersKey(handle),
    queryFn: () => paymentsApi.offers(handle),
    staleTime: 30_000,
    enabled: isOn && wanted,
  });
}

/** What is sold that opens one stream. */
export function useTicketsTo(handle: string, stream: string, wanted = true) {
  const isOn = usePayments() !== 'off';
  return useQuery({
    queryKey: [...offersKey(handle), 'tickets', stream],
    queryFn: () => paymentsApi.ticketsTo(stream),
    select: ({ items }) => items.filter((ticket) => ticket.is_offered),
    staleTime: 30_000,
    enabled: isOn && wanted && stream !== '',
  });
}

export const membershipsKey = ['account', 'memberships'];

/** The memberships that one pays. */
export function useMemberships(enabled: boolean) {
  return useQuery({ queryKey: membershipsKey, queryFn: paymentsApi.memberships, enabled });
}
