/** How somebody wants chat to be, on this browser: one store for all its pages. */
import { Store } from '../store';

export interface Preferences {
  /** Hold back what was said about a later picture than mine. */
  sync: boolean;
  /** What is read out to screen readers. */
  announce: 'off' | 'mentions' | 'all';
  times: boolean;
  size: 'small' | 'medium' | 'large';
  /** The chat stands beside the picture. */
  open: boolean;
}

const USUAL: Preferences = { sync: true, announce: 'mentions', times: false, size: 'medium', open: true };

/** Above the store, which reads it as soon as it is made. */
const KEY = 'tallylight.chat';

export const preferences = new Store<Preferences>(remembered());

export function prefer(patch: Partial<Preferences>): void {
  preferences.set(patch);
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences.get()));
  } catch {
    // Private windows may refuse storage; it then lasts for this page.
  }
}

function remembered(): Preferences {
  try {
    return readPreferences(JSON.parse(localStorage.getItem(KEY) ?? '{}'));
  } catch {
    return USUAL;
  }
}

/** What was kept, as far as it can be made sense of. */
export function readPreferences(kept: Partial<Record<keyof Preferences, unknown>>): Preferences {
  const { sync, announce, times, size, open } = kept;
  return {
    sync: sync !== false,
    announce: announce === 'off' || announce === 'all' ? announce : USUAL.announce,
    times: times === true,
    size: size === 'small' || size === 'large' ? size : USUAL.size,
    open: open !== false,
  };
}
