import { useEffect } from 'react';

/** For pages that are laid over a scene: nothing is behind them. */
export function useNothingBehind(): void {
  useEffect(() => {
    const { style } = document.documentElement;
    const { background, colorScheme } = style;
    style.background = 'transparent';
    // A dark scheme has a dark canvas behind everything.
    style.colorScheme = 'normal';
    return () => {
      Object.assign(style, { background, colorScheme });
    };
  }, []);
}
