/**
 * A phone's keyboard takes half of the screen, and browsers differ in what they tell of it. While one
 * writes, the page knows what is left (`--visible-height`, `--visible-top`) and leaves out its head
 * (`.keyboard`), so that picture and words stay on it.
 */
import { useEffect } from 'react';

export function useKeyboard(active: boolean): void {
  useEffect(() => {
    const viewport = window.visualViewport;
    const root = document.documentElement;
    if (!active || !viewport) return;
    const look = () => {
      const writes = document.activeElement?.matches('textarea, input') ?? false;
      const up = writes && viewport.height < LOW_PX && viewport.width < WIDE_PX;
      root.classList.toggle('keyboard', up);
      root.style.setProperty('--visible-height', `${Math.round(viewport.height)}px`);
      root.style.setProperty('--visible-top', `${Math.round(viewport.offsetTop)}px`);
      // Safari scrolls the page up to the field, with the picture out of sight.
      if (up && scrollY > 0) scrollTo({ top: 0 });
    };
    look();
    viewport.addEventListener('resize', look);
    viewport.addEventListener('scroll', look);
    addEventListener('focusin', look);
    addEventListener('focusout', look);
    return () => {
      viewport.removeEventListener('resize', look);
      viewport.removeEventListener('scroll', look);
      removeEventListener('focusin', look);
      removeEventListener('focusout', look);
      root.classList.remove('keyboard');
      root.style.removeProperty('--visible-height');
      root.style.removeProperty('--visible-top');
    };
  }, [active]);
}

/** Lower than this is no whole phone. */
const LOW_PX = 560;
/** Where the chat stands beside the picture, a keyboard covers no picture. */
const WIDE_PX = 1024;
