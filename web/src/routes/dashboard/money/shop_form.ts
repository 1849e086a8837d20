/** The form about what is sold: what is typed, and what of it is an offer. */
import type { Shop, ShopEdit } from '../../../api/payments';
import { amountText, readAmount } from '../../../payments/money';

export interface TierRow {
  id: number;
  name: string;
  /** One a line. */
  perks: string;
  month: string;
  /** Empty: it cannot be paid by the year. */
  year: string;
}

export interface ShopForm {
  currency: string;
  tiers: TierRow[];
  welcome: string;
  takesTips: boolean;
  leastTip: string;
}

export function formOf(shop: Shop): ShopForm {
  const text = (amount: number | null | undefined) =>
    amount == null ? '' : amountText({ amount, currency: shop.currency });
  return {
    currency: shop.currency,
    tiers: shop.tiers.map(({ name, perks, month, year }, id) => ({
      id,
      name,
      perks: perks.join('\n'),
      month: text(month),
      year: text(year),
    })),
    welcome: shop.welcome,
    takesTips: shop.takes_tips,
    leastTip: text(shop.least_tip),
  };
}

/** What differs from before, or by field what is wrong with it. */
export function editOf(
  form: ShopForm,
  before: ShopForm,
): { edit: ShopEdit } | { errors: Record<string, string> } {
  const errors: Record<string, string> = {};
  const example = amountText({ amount: 500, currency: form.currency });
  const amount = (field: string, text: string) => {
    const read = readAmount(text, form.currency);
    if (read === null) errors[field] = `An amount such as ${example}.`;
    return read ?? 0;
  };
  const tiers = form.tiers.map(({ name, perks, month, year }, at) => ({
    name: name.trim(),
    perks: linesOf(perks),
    month: amount(`tiers.${at}.month`, month),
    year: year.trim() === '' ? null : amount(`tiers.${at}.year`, year),
  }));
  const least = form.takesTips ? amount('least_tip', form.leastTip) : null;
  if (Object.keys(errors).length > 0) return { errors };
  const isOther = form.currency !== before.currency;
  const otherTiers = JSON.stringify(form.tiers) !== JSON.stringify(before.tiers);
  return {
    edit: {
      ...(isOther ? { currency: form.currency } : {}),
      ...(isOther || otherTiers ? { tiers } : {}),
      ...(form.welcome === before.welcome ? {} : { welcome: form.welcome }),
      ...(form.takesTips === before.takesTips ? {} : { takes_tips: form.takesTips }),
      ...(least !== null && (isOther || form.leastTip !== before.leastTip || !before.takesTips)
        ? { least_tip: least }
        : {}),
    },
  };
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
