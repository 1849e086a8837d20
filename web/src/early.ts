/**
 * Starts the session of a watch page before React is even fetched: the picture does not wait for the
 * page. The watch page then takes the player over.
 */
import { Player } from './player/player';

let early: Player | null = null;

/** Chat stands beside the picture, and goes its way. */
const WITH_DATA = true;

/** Whether this is a watch page, whose session has now begun. */
export function startEarly(pathname: string): boolean {
  const handle = decoded(/^\/@([^/]+)\/?$/.exec(pathname)?.[1] ?? '');
  if (!handle) return false;
  early = new Player(handle, '', WITH_DATA);
  early.start();
  return true;
}

/** `null` for what is no text: the page then says that it does not exist. */
function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

/** The player that runs for this channel already, or a new one. The caller starts and stops it. */
export function playerFor(handle: string): Player {
  const waiting = early;
  early = null;
  if (waiting?.handle === handle) return waiting;
  waiting?.stop();
  return new Player(handle, '', WITH_DATA);
}
