import { CreditCard } from 'lucide-react';
import { Card } from '../../ui/card';

/** Instead of a page about money on a server without. */
export function PaymentsOff() {
  return (
    <Card>
      <div className="flex flex-col items-center gap-3 py-10 text-center">
        <CreditCard aria-hidden size={32} className="text-ink-3" />
        <h2 className="text-lg font-semibold">There are no payments on this server</h2>
        <p className="max-w-md text-sm text-ink-2">
          Whoever runs it can turn them on in its configuration, with a key of Stripe.
        </p>
      </div>
    </Card>
  );
}
