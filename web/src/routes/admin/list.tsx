/** A list of things with what can be done to each: a table on wide screens, cards on narrow ones. */
import type { ReactNode } from 'react';
import { Button } from '../../ui/button';
import { Notice } from '../../ui/notice';
import { Spinner } from '../../ui/spinner';

export function List({
  label,
  empty,
  error,
  isWaiting,
  children,
  onMore,
}: {
  label: string;
  /** Words instead of an empty list. */
  empty: ReactNode | null;
  error: Error | null;
  isWaiting: boolean;
  children: ReactNode;
  /** Where there are more. */
  onMore?: (() => void) | undefined;
}) {
  return (
    <section aria-label={label} className="rounded-card border border-line bg-surface-1">
      {error && (
        <div className="p-4">
          <Notice title="This could not be read">{error.message}</Notice>
        </div>
      )}
      {isWaiting && !error && (
        <p className="flex items-center gap-3 p-5 text-sm text-ink-2">
          <Spinner /> Reading
        </p>
      )}
      {empty && !isWaiting && !error && <div className="p-5 text-sm text-ink-2">{empty}</div>}
      <ul className="divide-y divide-line">{children}</ul>
      {onMore && (
        <div className="border-t border-line p-3">
          <Button look="ghost" size="sm" onClick={onMore}>
            Show more
          </Button>
        </div>
      )}
    </section>
  );
}

export function Row({
  title,
  pills,
  lines,
  actions,
}: {
  title: ReactNode;
  pills?: ReactNode;
  lines: ReactNode[];
  actions?: ReactNode;
}) {
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-3 px-4 py-3.5 sm:px-5">
      <div className="min-w-0 flex-1 basis-72">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-sm font-medium break-words">
          {title}
          {pills}
        </p>
        {lines.filter(Boolean).map((line, at) => (
          // The lines of a row never change their order.
          // biome-ignore lint/suspicious/noArrayIndexKey: see above
          <p key={at} className="text-sm break-words text-ink-3">
            {line}
          </p>
        ))}
      </div>
      {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
    </li>
  );
}
