import type { ReactNode } from 'react';

const TONES = {
  live: 'bg-live text-live-ink',
  preview: 'bg-preview text-preview-ink',
  neutral: 'bg-surface-2 text-ink-2 border border-line',
  warn: 'bg-warn-soft text-warn-text border border-warn-line',
};

/** A short state in capitals. Red is for what is on air, and nothing else. */
export function Pill({
  tone,
  dot,
  children,
}: {
  tone: keyof typeof TONES;
  dot?: boolean;
  children: ReactNode;
}) {
  return (
    <span
      className={`inline-flex h-6 items-center gap-1.5 rounded-md px-2 text-xs font-bold tracking-wide whitespace-nowrap uppercase tabular-nums ${TONES[tone]}`}
    >
      {dot && <span aria-hidden className="size-1.5 rounded-full bg-current" />}
      {children}
    </span>
  );
}
