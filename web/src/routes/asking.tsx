import { Spinner } from '../ui/spinner';

/** A part of a page while it waits for its first answer. */
export function Reading() {
  return (
    <p className="flex items-center gap-3 text-sm text-ink-2">
      <Spinner size={16} /> Asking the server
    </p>
  );
}
