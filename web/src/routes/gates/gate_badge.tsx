import { Lock } from 'lucide-react';
import type { StreamGate } from '../../api/entry';
import { badgeText } from '../../gates/words';

/** Whom it is for; nothing where it is open to everyone. */
export function GateBadge({ gate }: { gate: StreamGate }) {
  const text = badgeText(gate);
  if (text === null) return null;
  return (
    <span className="inline-flex h-6 shrink-0 items-center gap-1 rounded-md border border-line bg-surface-2 px-2 text-xs font-bold tracking-wide whitespace-nowrap text-ink-2 uppercase">
      <Lock aria-hidden size={12} />
      {text}
    </span>
  );
}
