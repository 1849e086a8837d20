import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect } from 'react';
import { type PaymentMode, paymentsApi } from '../../api/payments';
import { instanceQuery } from '../instance';
import { givenTierName } from './given_tier';

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

/** The names of a channel's tiers; not `wanted`: as far as this page has asked for them anyhow. */
export function useTierNames(handle: string, wanted: boolean): (tier: number) => string | null {
  const tiers = useOffers(handle, wanted).data?.tiers;
  return useCallback((tier) => givenTierName(tiers ?? [], tier), [tiers]);
}

/** The tier that one has of a channel; 0 for none, and while it is not known. */
export function useOwnTier(handle: string, wanted: boolean): number {
  return useOffers(handle, wanted).data?.own_tier ?? 0;
}

/** Asks again what is one's own whenever the chat has told that one's standing is another: it may be a gift. */
export function useRenewedOffers(handle: string, renewals: number): void {
  const queries = useQueryClient();
  useEffect(() => {
    if (renewals > 0) void queries.invalidateQueries({ queryKey: offersKey(handle) });
  }, [queries, handle, renewals]);
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
