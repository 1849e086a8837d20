import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';

const IDLE_MS = 2600;

/** Whether pointer and keys have rested for a while on an element. */
export function useIdle(element: RefObject<HTMLElement | null>): { idle: boolean; wake: () => void } {
  const [idle, setIdle] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const wake = useCallback(() => {
    setIdle(false);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      // Whoever walks through the controls by keyboard must see them.
      const focused = element.current?.querySelector('[data-controls] :focus-visible');
      const menuOpen = element.current?.querySelector('[data-popup-open]');
      if (!focused && !menuOpen) setIdle(true);
    }, IDLE_MS);
  }, [element]);

  useEffect(() => {
    const target = element.current;
    if (!target) return;
    const events = ['pointermove', 'pointerdown', 'keydown', 'focusin'] as const;
    for (const name of events) target.addEventListener(name, wake);
    wake();
    return () => {
      clearTimeout(timer.current);
      for (const name of events) target.removeEventListener(name, wake);
    };
  }, [element, wake]);

  return { idle, wake };
}
