import { type RefObject, useEffect, useRef } from 'react';

/** For a row of ways to pages: on a phone the way to this page may lie beyond the edge. */
export function useHereInView(page?: string): RefObject<HTMLElement | null> {
  const nav = useRef<HTMLElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page of the same row is looked for anew
  useEffect(() => {
    const here = nav.current?.querySelector('[aria-current=page]');
    here?.scrollIntoView({ inline: 'center', block: 'nearest' });
  }, [page]);
  return nav;
}
