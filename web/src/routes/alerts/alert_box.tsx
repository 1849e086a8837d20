import { BadgeCheck, BellRing, Gift, HandCoins } from 'lucide-react';
import type { Alert } from '../../payments/alerts';
import { moneyText } from '../../payments/money';

const ICONS = { member: BadgeCheck, gift: Gift, tip: HandCoins, test: BellRing };

/** One alert, large enough to be read in a picture. */
export function AlertBox({ alert }: { alert: Alert }) {
  const Icon = ICONS[alert.kind];
  return (
    <section
      aria-label="Alert"
      className="alert-in mx-auto flex w-fit max-w-full items-center gap-4 rounded-card border border-line bg-surface-1 px-5 py-4 shadow-panel"
    >
      <Icon aria-hidden size={40} className="shrink-0 text-preview-text" />
      <div className="min-w-0">
        <p className="text-2xl leading-tight font-semibold">
          <bdi className="break-words [overflow-wrap:anywhere]">{alert.name || 'Somebody'}</bdi>{' '}
          {whatText(alert)}
        </p>
        {alert.message && (
          <bdi className="mt-1 line-clamp-3 text-xl break-words text-ink-2 [overflow-wrap:anywhere]">
            {alert.message}
          </bdi>
        )}
      </div>
    </section>
  );
}

function whatText({ kind, quantity, amount, currency }: Alert): string {
  switch (kind) {
    case 'member':
      return 'is a member now';
    case 'gift':
      return quantity === 1 || quantity == null ? 'gives a membership' : `gives ${quantity} memberships`;
    case 'tip':
      return amount != null && currency ? `tips ${moneyText({ amount, currency })}` : 'sends a tip';
    case 'test':
      return 'tries the alerts';
  }
}
