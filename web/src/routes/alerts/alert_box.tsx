import { BellRing } from 'lucide-react';
import type { Alert } from '../../payments/alerts';
import { givenText } from '../../payments/support';
import { SUPPORT_ICONS } from '../payments/support_icons';

/** What an alert is of; a test is of nothing. */
const GIVEN = { member: 'membership', gift: 'gift', tip: 'tip', test: null } as const;

/** One alert, large enough to be read in a picture. */
export function AlertBox({ alert }: { alert: Alert }) {
  const what = GIVEN[alert.kind];
  const Icon = what ? SUPPORT_ICONS[what] : BellRing;
  return (
    <section
      aria-label="Alert"
      className="alert-in mx-auto flex w-fit max-w-full items-center gap-4 rounded-card border border-line bg-surface-1 px-5 py-4 shadow-panel"
    >
      <Icon aria-hidden size={40} className="shrink-0 text-preview-text" />
      <div className="min-w-0">
        <p className="text-2xl leading-tight font-semibold">
          <bdi className="break-words [overflow-wrap:anywhere]">{alert.name || 'Somebody'}</bdi>{' '}
          {/* Without the tier: from afar the name is what counts. */}
          {what ? givenText({ ...alert, what, tier: null }) : 'tries the alerts'}
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
