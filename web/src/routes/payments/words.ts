/** How what is paid for is named. */
import type { Tier } from '../../api/payments';
import { type Money, moneyText } from '../../payments/money';
import { givenTierName } from './given_tier';

const DAY = new Intl.DateTimeFormat('en', { dateStyle: 'medium' });

/** "Nov 26, 2026". */
export function dayText(at: string): string {
  return DAY.format(new Date(at));
}

/** "€4.99 a month". */
export function priceText(price: Money, period: string): string {
  return `${moneyText(price)} a ${period === 'year' ? 'year' : 'month'}`;
}

/** What a tier costs in that time; `null` where it cannot be had so. */
export function priceOf(tier: Tier, period: 'month' | 'year', currency: string): Money | null {
  const amount = tier[period];
  return amount == null ? null : { amount, currency: tier.currency ?? currency };
}

/** The first tier that will do, or else the first that there is. */
export function enough(tiers: readonly Tier[], least: number): Tier | undefined {
  return tiers.find(({ tier }) => tier >= least) ?? tiers[0];
}

/** "Tier 2" where there is no name any more. */
export function tierName(tiers: readonly Tier[], number: number | null | undefined): string {
  return givenTierName(tiers, number) ?? `Tier ${number ?? 1}`;
}

/** "1 membership", "5 memberships". */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
