/** What hls.js and the browser's own HLS player have in common, as far as we use it. */
import { type Layer, resolutionName } from './layers';
import type { Passes } from './pass';

/** `recording`: from its beginning, to its end. */
export type Pace = 'low' | 'stable' | 'recording';

/** Where to begin: the live edge or the first second, a moment of the past, or so far into a recording. */
export type Start = null | { wallMs: number } | { seconds: number };

export interface PlaybackSettings {
  url: string;
  pace: Pace;
  at: Start;
  soundOnly: boolean;
  /** What media behind a gate is asked for with. */
  passes: Passes;
}

export interface Playback {
  readonly name: string;
  /** Largest first. */
  readonly layers: Layer[];
  /** Index into `layers` of what plays; `null` when unknown. */
  readonly current: number | null;
  /** Bit/s of what the network gives, as estimated. */
  readonly throughput: number | null;
  /** Bytes fetched so far; `null` when unknown. */
  readonly bytes: number | null;
  readonly codec: string | null;
  attach(video: HTMLVideoElement): void;
  detach(): void;
  /** An index into `layers`, or the player's own choice. */
  choose(index: number | null): void;
  setPace(pace: Pace): void;
  /** Media seconds of where live playback belongs now. */
  liveSeconds(): number | null;
  /** The library's own idea of the distance to the live edge, in milliseconds. */
  latencyMs(): number | null;
  /** First and last moment that can be played, in media seconds. */
  window(): { start: number; end: number } | null;
  /** Wall time of media seconds and back, by EXT-X-PROGRAM-DATE-TIME. */
  wall(seconds: number): number | null;
  seconds(wallMs: number): number | null;
  /** Goes on after a refusal, with the newest pass; false where it cannot. */
  resume(): boolean;
  close(): void;
}

export interface PlaybackListener {
  layers(): void;
  /** Nothing more can be done. */
  failed(failure: PlaybackFailure): void;
}

export interface PlaybackFailure {
  /** What the server answered: 0 where it could not be reached, `null` where the player does not tell. */
  status: number | null;
  unplayable: boolean;
  words: string;
}

/** Gives layers names that outlive a reload: "720p", with the bitrate where there are two of them. */
export function withNames(layers: Omit<Layer, 'rid'>[]): Layer[] {
  const names = layers.map(({ width, height }) => resolutionName(width, height, null) ?? 'source');
  return layers.map((layer, index) => {
    const name = names[index] ?? 'source';
    const unique = names.indexOf(name) === names.lastIndexOf(name);
    return { ...layer, rid: unique ? name : `${name}-${layer.bitrate ?? index}` };
  });
}
