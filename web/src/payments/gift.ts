/** A gift that is left for whoever takes it: where it is to be had, and how somebody stands to it. */

/** The page that offers one, to be handed on. */
export function giftPath(handle: string, purchase: string): string {
  return `/@${encodeURIComponent(handle)}?gift=${encodeURIComponent(purchase)}`;
}

export type GiftStanding =
  | 'unknown'
  /** Nobody is signed in. */
  | 'stranger'
  | 'open'
  /** It is one's own now. */
  | 'taken'
  /** One is a member, or need not be one. */
  | 'member'
  | 'gone';

/** `null` is not known yet; `refused` the code with which the server refused. */
export function giftStanding({
  isSignedIn,
  isMember,
  isTaken,
  refused,
}: {
  isSignedIn: boolean | null;
  isMember: boolean | null;
  isTaken: boolean;
  refused: string | null;
}): GiftStanding {
  if (isTaken) return 'taken';
  if (refused === 'gifts_gone' || refused === 'gift_not_found') return 'gone';
  if (isSignedIn === false) return 'stranger';
  if (isMember || refused === 'already_member') return 'member';
  return isSignedIn === null || isMember === null ? 'unknown' : 'open';
}
