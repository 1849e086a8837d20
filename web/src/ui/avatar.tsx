/** A channel's initial, until channels have pictures. */
export function Avatar({
  name,
  live = false,
  size = 'md',
}: {
  name: string;
  live?: boolean;
  size?: 'sm' | 'md';
}) {
  return (
    <span
      aria-hidden
      className={`flex shrink-0 items-center justify-center rounded-full bg-surface-3 font-semibold text-ink ${
        size === 'md' ? 'size-12 text-lg' : 'size-9 text-sm'
      } ${live ? 'outline-2 outline-offset-2 outline-live' : ''}`}
    >
      {[...name.trim()][0]?.toUpperCase() ?? '?'}
    </span>
  );
}
