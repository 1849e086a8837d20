import { ChevronDown } from 'lucide-react';
import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, useId } from 'react';

const CONTROL =
  'w-full min-h-11 rounded-control border border-line-strong/60 bg-surface-0 px-3 text-base sm:text-sm text-ink placeholder:text-ink-3 hover:border-line-strong disabled:opacity-60';

function Label({
  id,
  label,
  hint,
  error,
}: {
  id: string;
  label: string;
  hint?: ReactNode;
  error?: ReactNode;
}) {
  return (
    <>
      <label htmlFor={id} className="mb-1.5 block text-sm font-medium">
        {label}
      </label>
      {(error || hint) && (
        <p
          id={`${id}-hint`}
          className={`order-last mt-1.5 text-sm ${error ? 'text-warn-text' : 'text-ink-3'}`}
        >
          {error || hint}
        </p>
      )}
    </>
  );
}

/** A text input with its label, and below it a hint or what is wrong. */
export function TextField({
  label,
  hint,
  error,
  prefix,
  ...rest
}: Omit<InputHTMLAttributes<HTMLInputElement>, 'prefix'> & {
  label: string;
  hint?: ReactNode;
  error?: ReactNode;
  prefix?: string;
}) {
  const id = useId();
  return (
    <div className="flex flex-col">
      <Label id={id} label={label} hint={hint} error={error} />
      <div className="relative">
        {prefix && (
          <span
            aria-hidden
            className="absolute inset-y-0 left-3 flex items-center text-base text-ink-3 sm:text-sm"
          >
            {prefix}
          </span>
        )}
        <input
          id={id}
          className={`${CONTROL} ${prefix ? 'pl-7' : ''}`}
          aria-invalid={error ? true : undefined}
          aria-describedby={hint || error ? `${id}-hint` : undefined}
          {...rest}
        />
      </div>
    </div>
  );
}

/** A native select: the device pickers of phones are better than ours could be. */
export function SelectField({
  label,
  icon,
  hint,
  children,
  ...rest
}: SelectHTMLAttributes<HTMLSelectElement> & { label: string; icon?: ReactNode; hint?: ReactNode }) {
  const id = useId();
  return (
    <div className="flex min-w-0 flex-col">
      <Label id={id} label={label} hint={hint} />
      <div className="relative">
        {icon && (
          <span
            aria-hidden
            className="pointer-events-none absolute inset-y-0 left-3 flex items-center text-ink-3"
          >
            {icon}
          </span>
        )}
        <select
          id={id}
          className={`${CONTROL} appearance-none truncate pr-9 ${icon ? 'pl-10' : ''}`}
          aria-describedby={hint ? `${id}-hint` : undefined}
          {...rest}
        >
          {children}
        </select>
        <ChevronDown
          aria-hidden
          size={16}
          className="pointer-events-none absolute inset-y-0 right-3 my-auto text-ink-3"
        />
      </div>
    </div>
  );
}

/** A switch with its words beside it. */
export function Toggle({
  label,
  hint,
  checked,
  onChange,
  disabled,
}: {
  label: string;
  hint?: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
}) {
  const id = useId();
  return (
    <label htmlFor={id} className="flex min-h-11 cursor-pointer items-center justify-between gap-4">
      <span>
        <span className="block text-sm font-medium">{label}</span>
        {hint && <span className="block text-sm text-ink-3">{hint}</span>}
      </span>
      <input
        id={id}
        type="checkbox"
        role="switch"
        aria-checked={checked}
        checked={checked}
        disabled={disabled}
        onChange={(event) => onChange(event.target.checked)}
        className="relative h-6 w-10 shrink-0 cursor-pointer appearance-none rounded-full bg-line-strong transition-colors duration-150 before:absolute before:top-0.5 before:left-0.5 before:size-5 before:rounded-full before:bg-white before:transition-transform before:duration-150 checked:bg-ink checked:before:translate-x-4 checked:before:bg-surface-0"
      />
    </label>
  );
}
