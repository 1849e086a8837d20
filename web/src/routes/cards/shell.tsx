/** What all cards have in common: a link with a picture above and words below. */
import type { ReactNode } from 'react';

export const CARD =
  'group block overflow-hidden rounded-card border border-line bg-surface-1 transition-colors duration-150 hover:border-line-strong';

export const GRID = 'grid gap-4 sm:grid-cols-2 lg:grid-cols-3 xl:grid-cols-4 xl:gap-5';

/** A picture, and behind it what stands there until it has come, or where there is none. */
export function CardPicture({
  initial,
  image,
  children,
}: {
  initial: string;
  image?: string | null;
  children?: ReactNode;
}) {
  return (
    <div className="relative flex aspect-video items-center justify-center bg-radial from-surface-3 to-surface-1">
      <span
        aria-hidden
        className="text-7xl font-semibold tracking-tight text-ink-3/60 transition-colors duration-150 group-hover:text-ink-3"
      >
        {[...initial.trim()][0]?.toUpperCase()}
      </span>
      {image && (
        <img src={image} alt="" loading="lazy" className="absolute inset-0 h-full w-full object-cover" />
      )}
      {children}
    </div>
  );
}

/** A figure that lies on a picture. */
export function OnPicture({ corner, children }: { corner: 'left' | 'right'; children: ReactNode }) {
  const side = corner === 'left' ? 'left-3' : 'right-3';
  return (
    <span
      className={`absolute bottom-3 ${side} inline-flex items-center gap-1.5 rounded-md bg-surface-0/85 px-2 py-1 text-xs font-medium text-ink tabular-nums`}
    >
      {children}
    </span>
  );
}

/** A heading over a row of cards. */
export function Section({
  id,
  title,
  count,
  more,
  children,
}: {
  id: string;
  title: string;
  count?: number;
  more?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section aria-labelledby={id} className="mb-8 sm:mb-10">
      <div className="mb-4 flex min-h-11 items-center gap-3">
        <h2 id={id} className="text-lg font-semibold tracking-tight">
          {title}
        </h2>
        {count !== undefined && count > 0 && <span className="text-ink-3 tabular-nums">{count}</span>}
        {more && <span className="ml-auto">{more}</span>}
      </div>
      {children}
    </section>
  );
}
