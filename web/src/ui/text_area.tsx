import { type ReactNode, type TextareaHTMLAttributes, useId } from 'react';

/** Some lines of text with their label. */
export function TextArea({
  label,
  hint,
  ...rest
}: TextareaHTMLAttributes<HTMLTextAreaElement> & { label: string; hint?: ReactNode }) {
  const id = useId();
  return (
    <div className="flex flex-col">
      <label htmlFor={id} className="mb-1.5 block text-sm font-medium">
        {label}
      </label>
      <textarea
        id={id}
        rows={3}
        className="w-full rounded-control border border-line-strong/60 bg-surface-0 px-3 py-2.5 text-base text-ink placeholder:text-ink-3 hover:border-line-strong disabled:opacity-60 sm:text-sm"
        aria-describedby={hint ? `${id}-hint` : undefined}
        {...rest}
      />
      {hint && (
        <p id={`${id}-hint`} className="mt-1.5 text-sm text-ink-3">
          {hint}
        </p>
      )}
    </div>
  );
}
