import type { ButtonHTMLAttributes } from 'react';

type Look = 'primary' | 'secondary' | 'ghost' | 'preview' | 'live' | 'warn';

const LOOKS: Record<Look, string> = {
  primary: 'bg-ink text-surface-0 hover:bg-ink/85',
  secondary: 'bg-surface-2 text-ink border border-line hover:bg-surface-3',
  ghost: 'text-ink-2 hover:bg-surface-2 hover:text-ink',
  preview: 'bg-preview text-preview-ink hover:bg-preview-hover',
  live: 'bg-live text-live-ink hover:bg-live-hover',
  warn: 'bg-warn-soft text-warn-text border border-warn-line hover:bg-warn-soft/70',
};

/** The classes of a button, for links that look like one. */
export function buttonClass(look: Look = 'secondary', size: 'md' | 'lg' | 'sm' = 'md'): string {
  const sizes = {
    sm: 'min-h-9 px-3 text-sm',
    md: 'min-h-11 px-4 text-sm',
    lg: 'min-h-13 px-6 text-base',
  };
  return `inline-flex items-center justify-center gap-2 rounded-control font-semibold whitespace-nowrap transition-colors duration-150 disabled:opacity-50 aria-disabled:opacity-50 ${sizes[size]} ${LOOKS[look]}`;
}

export function Button({
  look = 'secondary',
  size = 'md',
  className = '',
  type = 'button',
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & { look?: Look; size?: 'sm' | 'md' | 'lg' }) {
  return <button type={type} className={`${buttonClass(look, size)} ${className}`} {...rest} />;
}
