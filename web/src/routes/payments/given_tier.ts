import type { Tier } from '../../api/payments';

/** The name of a tier; `null` where there is none any more. */
export function givenTierName(tiers: readonly Tier[], number: number | null | undefined): string | null {
  return tiers.find(({ tier }) => tier === number)?.name ?? null;
}
