/** What every transport offers the player, and what it tells it. */
import type { BarredWhy } from './pass';
import type { Quality, Wish } from './quality';
import type { Picture } from './screen';
import type { PlayerStats } from './stats';
import type { Timeline } from './timeline';
import type { ChangeReason, Transport } from './transport';

export type CarrierEvent =
  /** Media moves; told with every second in which it does. */
  | { name: 'flows' }
  | { name: 'connected' }
  /** It may not come to anything: time to make another ready. */
  | { name: 'doubtful'; reason: ChangeReason }
  /** It is as good as lost: whichever plays first is taken. */
  | { name: 'late' }
  /** The network changed; the same session looks for a new way. */
  | { name: 'restarting' }
  | { name: 'lost'; reason: ChangeReason | null; words: string }
  /** It never began; `error` says why. */
  | { name: 'refused'; error: unknown }
  /** The server lets nobody in without what is missing, or no longer: no other way is open either. */
  | { name: 'barred'; why: BarredWhy }
  /** How much of a free look is left; `null`: it is none. */
  | { name: 'preview'; leftMs: number | null }
  | { name: 'never_connected' }
  | { name: 'publisher'; active: boolean }
  | { name: 'viewers'; count: number }
  | { name: 'qualities' }
  /** Something else is said of the stream. */
  | { name: 'updated' }
  | { name: 'ended' }
  /** The server asks for a new session. */
  | { name: 'moved' };

export interface Carrier {
  readonly transport: Transport;
  readonly picture: Picture;
  /** Largest first, sound alone last; empty until known. */
  readonly qualities: Quality[];
  /** The id of the quality that is held to; `null` is Auto. */
  readonly pinned: string | null;
  open(): void;
  close(): void;
  /** Called once a second; tells `flows` by itself. */
  sample(): Promise<PlayerStats | null>;
  /** Resolves with false when it was refused. */
  choose(wish: Wish | null): Promise<boolean>;
  /** What can be seen again; `null` where nothing can. */
  timeline(): Timeline | null;
}
