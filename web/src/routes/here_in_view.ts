import { type RefObject, useEffect, useRef } from 'react';

/** For a row of ways to pages: on a phone the way to this page may lie beyond the edge. */
export function useHereInView(): RefObject<HTMLElement | null> {
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    const here = nav.current?.querySelector('[aria-current=page]');
    here?.scrollIntoView({ inline: 'center', block: 'nearest' });
  }, []);
  return nav;
}
