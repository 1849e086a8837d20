import type { ReactNode } from 'react';

/** A round switch of the studio's dock; `off` shows a muted source without a colour of the lamp. */
export function ToolButton({
  label,
  hint,
  off = false,
  disabled = false,
  onClick,
  children,
}: {
  label: string;
  hint?: string;
  off?: boolean;
  disabled?: boolean;
  onClick: () => void;
  children: ReactNode;
}) {
  return (
    <button
      type="button"
      aria-label={label}
      title={hint ? `${label} (${hint})` : label}
      disabled={disabled}
      onClick={onClick}
      className={`flex size-13 items-center justify-center rounded-full border transition-colors duration-150 disabled:opacity-45 ${
        off
          ? 'border-warn-line bg-warn-soft text-warn-text'
          : 'border-line bg-surface-2 text-ink hover:bg-surface-3'
      }`}
    >
      {children}
    </button>
  );
}
