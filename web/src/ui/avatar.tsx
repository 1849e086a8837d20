const SIZES = { sm: 'size-7 text-sm', md: 'size-12 text-lg', lg: 'size-24 text-4xl' };

/** The picture of a channel or an account, or its initial where it has none. */
export function Avatar({
  name,
  url = null,
  live = false,
  size = 'md',
}: {
  name: string;
  url?: string | null;
  live?: boolean;
  size?: keyof typeof SIZES;
}) {
  const look = `shrink-0 rounded-full ${SIZES[size]} ${live ? 'outline-2 outline-offset-2 outline-live' : ''}`;
  if (url) return <img src={url} alt="" className={`object-cover ${look}`} />;
  return (
    <span
      aria-hidden
      className={`flex items-center justify-center bg-surface-3 font-semibold text-ink ${look}`}
    >
      {[...name.trim()][0]?.toUpperCase() ?? '?'}
    </span>
  );
}
