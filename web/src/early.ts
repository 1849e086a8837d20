/**
 * Starts the session of a watch page before React is even fetched: the picture does not wait for the
 * page. The watch page then takes the player over.
 */
import { Player } from './player/player';

let early: Player | null = null;

/** Whether this is a watch page, whose session has now begun. */
export function startEarly(pathname: string): boolean {
  const handle = /^\/@([^/]+)\/?$/.exec(pathname)?.[1];
  if (!handle) return false;
  early = new Player(decodeURIComponent(handle));
  early.start();
  return true;
}

/** The player that runs for this channel already, or a new one. The caller starts and stops it. */
export function playerFor(handle: string): Player {
  const waiting = early;
  early = null;
  if (waiting?.handle === handle) return waiting;
  waiting?.stop();
  return new Player(handle);
}
