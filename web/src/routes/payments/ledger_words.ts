import type { LedgerEntry } from '../../api/payments';

const KINDS: Record<string, string> = {
  membership: 'Membership',
  gift: 'Gifted memberships',
  tip: 'Tip',
  ticket: 'Ticket',
};

const ENTRIES: Record<string, string> = {
  payment: '',
  refund: 'Refund: ',
  dispute: 'Disputed at the bank: ',
  dispute_won: 'Dispute won: ',
};

/** "Membership", "Refund: tip". */
export function entryText({ entry, kind }: LedgerEntry): string {
  const what = KINDS[kind] ?? kind;
  const before = ENTRIES[entry] ?? `${entry}: `;
  return before === '' ? what : `${before}${what.toLowerCase()}`;
}

/** The payments of which nothing is left. */
export function givenBack(entries: readonly LedgerEntry[]): Set<string> {
  const left = new Map<string, number>();
  for (const { payment, amount } of entries) left.set(payment, (left.get(payment) ?? 0) + amount);
  const paid = entries.filter(({ entry, payment }) => entry === 'payment' && (left.get(payment) ?? 0) <= 0);
  return new Set(paid.map(({ payment }) => payment));
}
