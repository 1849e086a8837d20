/** What a viewer sees of a player, live or recorded, as one value: for its skin and for the page around it. */
import type { Lock } from '../gates/lock';
import type { Quality } from '../player/quality';
import type { Screen } from '../player/screen';

export type StateName =
  | 'idle'
  | 'connecting'
  | 'playing'
  | 'reconnecting'
  | 'host_reconnecting'
  | 'offline'
  | 'ended'
  | 'not_found'
  | 'server_full'
  | 'unsupported'
  | 'failed';

export interface View {
  state: StateName;
  /** Why, in words; empty where the state says it all. */
  reason: string;
  /** What is shut before whoever watches, and why; `unknown` where the server did not say. */
  lock: Lock | 'unknown' | null;
  /** Of the channel or the recording; empty until known. */
  title: string;
  /** What its stream is called; empty where nobody said. */
  about: string;
  paused: boolean;
  muted: boolean;
  volume: number;
  /** The browser refused to start by itself. */
  needsTap: boolean;
  qualities: readonly Quality[];
  pinned: string | null;
  /** Of what plays: lines of the picture; `null` until known. */
  lines: number | null;
  /** Seconds into a recording, or behind what happens now as a negative number. */
  position: number;
  /** Of a recording; 0 of what is live. */
  duration: number;
  /** How far back a live stream reaches, in seconds. */
  window: number;
  viewers: number | null;
  /** The next stream of a channel that is not live. */
  next: { title: string; at: string } | null;
}

/** A player, whatever it plays. */
export interface Source {
  readonly isLive: boolean;
  /** `null` until it is known what to show. */
  readonly screen: Screen | null;
  /** Address of the page that it has on the server. */
  readonly page: string;
  /** A picture until there is one that moves. */
  readonly poster: string;
  view(): View;
  subscribe(listener: () => void): () => void;
  /** Begins; a second call does nothing. */
  start(): void;
  stop(): void;
  play(): void;
  pause(): void;
  /** Seconds into a recording; of a live stream seconds behind now as a negative number, 0 for now. */
  seek(seconds: number): void;
  setMuted(muted: boolean): void;
  setQuality(id: string | null): void;
  retry(): void;
}

export const NOTHING: View = {
  state: 'idle',
  reason: '',
  lock: null,
  title: '',
  about: '',
  paused: true,
  muted: true,
  volume: 1,
  needsTap: false,
  qualities: [],
  pinned: null,
  lines: null,
  position: 0,
  duration: 0,
  window: 0,
  viewers: null,
  next: null,
};
