import { Info, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';

/** What went wrong or is good to know: an icon, what, why and what to do. */
export function Notice({
  tone = 'warn',
  title,
  children,
  action,
}: {
  tone?: 'warn' | 'info';
  title: ReactNode;
  children?: ReactNode;
  action?: ReactNode;
}) {
  const Icon = tone === 'warn' ? TriangleAlert : Info;
  return (
    <div
      role={tone === 'warn' ? 'alert' : 'status'}
      className={`flex gap-3 rounded-control border p-3.5 text-sm ${
        tone === 'warn' ? 'border-warn-line bg-warn-soft text-ink' : 'border-line bg-surface-2 text-ink'
      }`}
    >
      <Icon
        aria-hidden
        size={18}
        className={`mt-px shrink-0 ${tone === 'warn' ? 'text-warn-text' : 'text-ink-2'}`}
      />
      <div className="min-w-0 flex-1">
        <p className="font-semibold">{title}</p>
        {children && <div className="mt-1 text-ink-2">{children}</div>}
        {action && <div className="mt-3 flex flex-wrap gap-2">{action}</div>}
      </div>
    </div>
  );
}
