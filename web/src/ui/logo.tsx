/** The lamp and the server's name. It is red only where the page it stands on is on air. */
export function Logo({ name, live = false }: { name: string; live?: boolean }) {
  return (
    <span className="flex items-center gap-2.5 font-semibold tracking-tight">
      <svg aria-hidden width="26" height="20" viewBox="0 0 26 20" className="shrink-0">
        <rect x="1" y="1" width="24" height="18" rx="5" className={live ? 'fill-live' : 'fill-surface-3'} />
        <circle cx="13" cy="10" r="4.5" className={live ? 'fill-live-ink' : 'fill-accent'} />
      </svg>
      <span className="truncate">{name}</span>
    </span>
  );
}
