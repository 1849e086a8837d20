import { Pill } from '../../ui/pill';
import { usePayments } from './use_payments';

/** Beside whatever shows money, where none moves. */
export function TestBadge() {
  if (usePayments() !== 'test') return null;
  return (
    <span className="flex">
      <Pill tone="warn">Test mode: no money moves</Pill>
    </span>
  );
}
