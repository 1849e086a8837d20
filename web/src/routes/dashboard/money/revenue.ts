/** What a channel earned, by day and kind, as it is drawn. */
import type { Revenue } from '../../../api/payments';
import { moneyText } from '../../../payments/money';
import { counted } from '../../payments/words';

export const KINDS = [
  { kind: 'membership', label: 'Memberships' },
  { kind: 'gift', label: 'Gifts' },
  { kind: 'tip', label: 'Tips' },
  { kind: 'ticket', label: 'Tickets' },
] as const;

export type Kind = (typeof KINDS)[number]['kind'];

export interface Day {
  /** `2026-05-01`. */
  day: string;
  amounts: Record<Kind, number>;
  total: number;
}

/** All days of one currency, also those on which nothing came in, the oldest first. */
export interface Series {
  currency: string;
  days: Day[];
  total: number;
  fee: number;
  payments: number;
}

const DAY_MS = 86_400_000;

export function seriesOf(revenue: Revenue, count: number, now: number): Series[] {
  const currencies = [...new Set(revenue.days.map(({ currency }) => currency))];
  const names = Array.from({ length: count }, (_, at) =>
    new Date(now - (count - 1 - at) * DAY_MS).toISOString().slice(0, 10),
  );
  return currencies.map((currency) => {
    const rows = revenue.days.filter((row) => row.currency === currency);
    const sum = (of: 'amount' | 'fee' | 'payments') => rows.reduce((all, row) => all + row[of], 0);
    return {
      currency,
      total: sum('amount'),
      fee: sum('fee'),
      payments: sum('payments'),
      days: names.map((day) =>
        dayOf(
          day,
          rows.filter((row) => row.day === day),
        ),
      ),
    };
  });
}

function dayOf(day: string, rows: Revenue['days']): Day {
  const amounts = { membership: 0, gift: 0, tip: 0, ticket: 0 };
  for (const { kind, amount } of rows) if (kind in amounts) amounts[kind as Kind] += amount;
  return { day, amounts, total: Object.values(amounts).reduce((all, each) => all + each, 0) };
}

export interface Bar {
  kind: Kind;
  /** In parts of the whole height, from the top. */
  y: number;
  height: number;
}

/** The bars of each day, one upon the other: what came in above the line, what went back below it. */
export function barsOf(days: readonly Day[]): { bars: Bar[][]; line: number; most: number } {
  const parts = (day: Day, sign: 1 | -1) =>
    KINDS.map(({ kind }) => ({ kind, part: Math.max(0, sign * day.amounts[kind]) }));
  const height = (sign: 1 | -1) =>
    Math.max(0, ...days.map((day) => parts(day, sign).reduce((all, { part }) => all + part, 0)));
  const [up, down] = [height(1), height(-1)];
  const whole = up + down || 1;
  const line = up / whole;
  const bars = days.map((day) => {
    let [above, below] = [line, line];
    const drawn: Bar[] = [];
    for (const { kind, part } of parts(day, 1)) {
      above -= part / whole;
      if (part > 0) drawn.push({ kind, y: above, height: part / whole });
    }
    for (const { kind, part } of parts(day, -1)) {
      if (part > 0) drawn.push({ kind, y: below, height: part / whole });
      below += part / whole;
    }
    return drawn;
  });
  return { bars, line, most: up };
}

/** For whoever does not see the drawing. */
export function revenueWords({ currency, days, total, payments }: Series): string {
  const best = days.reduce<Day | null>((most, day) => (day.total > (most?.total ?? 0) ? day : most), null);
  const words = `${moneyText({ amount: total, currency })} by ${counted(payments, 'payment')} in ${days.length} days`;
  if (!best) return `${words}.`;
  return `${words}. The most on one day was ${moneyText({ amount: best.total, currency })}, on ${dayWords(best.day)}.`;
}

const DAY = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', timeZone: 'UTC' });

/** "May 1". */
export function dayWords(day: string): string {
  return DAY.format(new Date(`${day}T00:00:00Z`));
}
