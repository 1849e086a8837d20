/** How it is told what somebody gives: in the chat, and over a picture. */
import { moneyText } from './money';

/** As far as it matters here. */
export interface Given {
  what: 'membership' | 'gift' | 'tip';
  tier?: number | null;
  quantity?: number | null;
  /** In the currency's smallest unit. */
  amount?: number | null;
  currency?: string | null;
}

/**
 * What stands behind the name of who gives: "is a member now (Friend)". `nameOf` gives the names of tiers,
 * as far as they are known.
 */
export function givenText(
  { what, tier, quantity, amount, currency }: Given,
  nameOf: (tier: number) => string | null = () => null,
): string {
  switch (what) {
    case 'membership':
      return tier == null ? 'is a member now' : `is a member now (${nameOf(tier) ?? `tier ${tier}`})`;
    case 'gift':
      return quantity == null || quantity === 1 ? 'gives a membership' : `gives ${quantity} memberships`;
    case 'tip':
      return amount != null && currency ? `tips ${moneyText({ amount, currency })}` : 'sends a tip';
  }
}
