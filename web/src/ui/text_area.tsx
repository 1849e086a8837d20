import { type ReactNode, type TextareaHTMLAttributes, useId } from 'react';

/** Some lines of text with their label. */
export function TextArea({
  label,
  hint,
  error,
  ...rest
}: TextareaHTMLAttributes<HTMLTextAreaElement> & { label: string; hint?: ReactNode; error?: ReactNode }) {
  const id = useId();
  const below = error || hint;
  return (
    <div className="flex flex-col">
      <label htmlFor={id} className="mb-1.5 block text-sm font-medium">
        {label}
      </label>
      <textarea
        id={id}
        rows={3}
        className="w-full rounded-control border border-line-strong/60 bg-surface-0 px-3 py-2.5 text-base text-ink placeholder:text-ink-3 hover:border-line-strong disabled:opacity-60 sm:text-sm"
        aria-invalid={error ? true : undefined}
        aria-describedby={below ? `${id}-hint` : undefined}
        {...rest}
      />
      {below && (
        <p id={`${id}-hint`} className={`mt-1.5 text-sm ${error ? 'text-warn-text' : 'text-ink-3'}`}>
          {below}
        </p>
      )}
    </div>
  );
}
