/** Whether one reads along at the end of a list, and how much has come since one does not. */
import type { Virtualizer } from '@tanstack/react-virtual';
import { type RefObject, useEffect, useRef, useState } from 'react';
import type { Row } from '../../chat/rows';

export function useUnread(
  rows: readonly Row[],
  virtual: Virtualizer<HTMLElement, Element>,
  scroller: RefObject<HTMLElement | null>,
) {
  /** The last row that was seen at the end; `null` while one is there. */
  const [seen, setSeen] = useState<string | null>(null);
  const last = useRef<string | null>(null);
  const isThere = useRef(true);
  const look = () => {
    const element = scroller.current;
    if (!element) return;
    // Asked of the element itself: the list hears of a scroll after its page.
    const there = element.scrollHeight - element.scrollTop - element.clientHeight <= NEAR_PX;
    if (there === isThere.current) return;
    isThere.current = there;
    setSeen(there ? null : last.current);
  };
  if (seen === null) last.current = rows.at(-1)?.key ?? null;

  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    // A card that comes above it, or a keyboard below, must not push the newest out of sight.
    const observer = new ResizeObserver(() => {
      if (isThere.current) virtual.scrollToEnd();
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [scroller, virtual]);

  const at = seen === null ? -1 : rows.findIndex(({ key }) => key === seen);
  const unread = seen === null ? 0 : at < 0 ? rows.length : rows.length - 1 - at;
  const toEnd = () => {
    isThere.current = true;
    setSeen(null);
    virtual.scrollToEnd();
  };
  return { unread, look, toEnd };
}

/** So near to the end one reads along. */
export const NEAR_PX = 48;
