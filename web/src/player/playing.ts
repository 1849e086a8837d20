/** What the parts of a player share: what plays, and what can be put in its place. */
import type { Store } from '../store';
import type { Backstage } from './backstage';
import type { Carrier } from './carrier';
import type { Phase } from './phase';
import type { Start } from './playback';
import type { Screen } from './screen';
import type { PlayerState } from './state';
import type { Transport } from './transport';

export interface Playing {
  readonly handle: string;
  /** The server's origin; empty where the page is its own. */
  readonly server: string;
  readonly store: Store<PlayerState>;
  readonly screen: Screen;
  readonly backstage: Backstage;
  /** What is in front. */
  carrier(): Carrier | null;
  make(transport: Transport, at: Start): Carrier;
  setPhase(phase: Phase): void;
  /** Milliseconds since media moved. */
  silentFor(): number;
}
