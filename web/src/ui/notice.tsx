import { Info, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';

/** What went wrong or is good to know: an icon, what, why and what to do. */
export function Notice({
  tone = 'warn',
  title,
  children,
  count,
  action,
}: {
  tone?: 'warn' | 'info';
  title: ReactNode;
  children?: ReactNode;
  /** What ticks: shown, and not read out again every second. */
  count?: ReactNode;
  action?: ReactNode;
}) {
  const Icon = tone === 'warn' ? TriangleAlert : Info;
  return (
    <div
      className={`flex gap-3 rounded-control border p-3.5 text-sm text-ink ${
        tone === 'warn' ? 'border-warn-line bg-warn-soft' : 'border-line bg-surface-2'
      }`}
    >
      <Icon
        aria-hidden
        size={18}
        className={`mt-px shrink-0 ${tone === 'warn' ? 'text-warn-text' : 'text-ink-2'}`}
      />
      <div className="min-w-0 flex-1">
        <div role={tone === 'warn' ? 'alert' : 'status'}>
          <p className="font-semibold">{title}</p>
          {children && <div className="mt-1 text-ink-2">{children}</div>}
        </div>
        {count && <p className="text-ink-2 tabular-nums">{count}</p>}
        {action && <div className="mt-3 flex flex-wrap gap-2">{action}</div>}
      </div>
    </div>
  );
}
