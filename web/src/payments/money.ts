/** Amounts of money: whole numbers of a currency's smallest unit, never fractions. */

export interface Money {
  /** In the currency's smallest unit, such as cents. */
  amount: number;
  /** Such as `eur`. */
  currency: string;
}

const formats = new Map<string, Intl.NumberFormat>();

function format(currency: string): Intl.NumberFormat {
  const known = formats.get(currency);
  if (known) return known;
  const places = decimals(currency);
  const made = new Intl.NumberFormat('en', {
    style: 'currency',
    currency: currency.toUpperCase(),
    minimumFractionDigits: places,
    maximumFractionDigits: places,
  });
  formats.set(currency, made);
  return made;
}

/**
 * How many decimals a currency has: 2 for euros, none for yen. Browsers do not agree about it (forints are
 * paid in fillér, and shown without), so that it stands here.
 */
export function decimals(currency: string): number {
  return WITHOUT_DECIMALS.has(currency.toLowerCase()) ? 0 : 2;
}

/** As payments have it. */
const WITHOUT_DECIMALS = new Set(
  'bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf'.split(' '),
);

/** "€4.99", "¥500", "-€4.99". */
export function moneyText({ amount, currency }: Money): string {
  return format(currency).format(amount / 10 ** decimals(currency));
}

/** "4.99": what a field for an amount holds. */
export function amountText({ amount, currency }: Money): string {
  const places = decimals(currency);
  if (places === 0) return String(amount);
  const digits = String(Math.abs(amount)).padStart(places + 1, '0');
  return `${amount < 0 ? '-' : ''}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/**
 * What somebody typed, in the smallest unit: "4.99", "4,99", "1.000,50". `null` where it is no
 * amount of this currency, or may be two: "1,000" is a thousand to some, and one to others.
 */
export function readAmount(text: string, currency: string): number | null {
  const places = decimals(currency);
  const typed = text.replace(/[\s\u00a0\u202f']/g, '');
  const part = places === 0 ? '' : `(?:([.,])(\\d{1,${places}}))?`;
  const found = new RegExp(`^(\\d+|\\d{1,3}(?:,\\d{3})+|\\d{1,3}(?:\\.\\d{3})+)${part}$`).exec(typed);
  if (!found) return null;
  const [, whole = '', point = '', cents = ''] = found;
  // "1,000,50" says the same sign for two things.
  if (point !== '' && whole.includes(point)) return null;
  if (places > 0 && point === '' && /^\d+[.,]\d+$/.test(whole)) return null;
  const digits = whole.replace(/[.,]/g, '') + cents.padEnd(places, '0');
  return digits.length > MOST_DIGITS ? null : Number(digits);
}

/** More than anything costs, and still exact. */
const MOST_DIGITS = 12;

/** Amounts to choose from: the least, and then the round ones above it. */
export function suggestions(least: number, most: number, currency: string): number[] {
  const found = [least];
  let unit = 10 ** decimals(currency);
  while (found.length < SUGGESTED && unit <= most) {
    for (const step of [unit, 2 * unit, 5 * unit]) {
      if (step > least && step <= most && found.length < SUGGESTED) found.push(step);
    }
    unit *= 10;
  }
  return found;
}

const SUGGESTED = 5;

/** What each currency comes to, in the order of their first appearance. */
export function totals(amounts: readonly Money[]): Money[] {
  const sums = new Map<string, number>();
  for (const { amount, currency } of amounts) sums.set(currency, (sums.get(currency) ?? 0) + amount);
  return [...sums].map(([currency, amount]) => ({ amount, currency }));
}

/** Those that creators may sell in. */
export const CURRENCIES = [
  'aud',
  'brl',
  'cad',
  'chf',
  'czk',
  'dkk',
  'eur',
  'gbp',
  'hkd',
  'huf',
  'inr',
  'jpy',
  'mxn',
  'nok',
  'nzd',
  'pln',
  'ron',
  'sek',
  'sgd',
  'usd',
] as const;

const NAMES = new Intl.DisplayNames('en', { type: 'currency' });

/** "Euro (EUR)". */
export function currencyName(currency: string): string {
  const code = currency.toUpperCase();
  return `${NAMES.of(code) ?? code} (${code})`;
}
