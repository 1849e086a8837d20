/** A channel's initial, until channels have pictures. */
export function Avatar({ name, live = false }: { name: string; live?: boolean }) {
  return (
    <span
      aria-hidden
      className={`flex size-12 shrink-0 items-center justify-center rounded-full bg-surface-3 text-lg font-semibold text-ink ${live ? 'outline-2 outline-offset-2 outline-live' : ''}`}
    >
      {[...name.trim()][0]?.toUpperCase() ?? '?'}
    </span>
  );
}
