/** What a person sees of a live channel, as one value. */
import type { ChannelFacts } from './channel';
import type { Phase } from './phase';
import type { Quality } from './quality';
import { rememberedVolume, type ScreenState } from './screen';
import type { PlayerStats } from './stats';
import type { Timeline } from './timeline';
import { type Change, type Choice, rememberedChoice, type Transport } from './transport';
import type { DataPair } from './whep';

/** What a viewer is told when it is not the transport that was wished for. */
export interface Notice {
  transport: Transport;
  words: string;
  /** On the Date.now() clock. */
  at: number;
}

export interface PlayerState extends ScreenState {
  phase: Phase;
  channel: ChannelFacts | null;
  viewers: number | null;
  /** When the free look ends, on the Date.now() clock; `null` for whoever needs none. */
  previewEndsAt: number | null;
  /** Of what plays, or is being joined. */
  transport: Transport | null;
  choice: Choice;
  notice: Notice | null;
  /** The changes of transport so far, oldest first. */
  changes: readonly Change[];
  /** The direct connection is being tried because the viewer asked for it. */
  climbing: boolean;
  /** Largest first, sound alone last. */
  qualities: readonly Quality[];
  /** The id of the quality that is held to; `null` is Auto. */
  pinned: string | null;
  stats: PlayerStats | null;
  /** From the camera to the screen. */
  latencyMs: number | null;
  /** What can be seen again; `null` where nothing can. */
  timeline: Timeline | null;
  /** The viewer went back, and does not see what happens now. */
  rewound: boolean;
  /** From the start of the join to its first picture. */
  joinMs: number | null;
  /** The data channels of the session that plays or is being joined, where it has any. */
  data: DataPair | null;
}

/** Before anything is known but what this browser remembers. */
export function initialState(): PlayerState {
  return {
    phase: { name: 'connecting', since: Date.now() },
    channel: null,
    viewers: null,
    previewEndsAt: null,
    transport: null,
    choice: rememberedChoice(),
    notice: null,
    changes: [],
    climbing: false,
    qualities: [],
    pinned: null,
    stats: null,
    latencyMs: null,
    timeline: null,
    rewound: false,
    joinMs: null,
    data: null,
    muted: true,
    volume: rememberedVolume(),
    paused: false,
    needsTap: false,
  };
}
