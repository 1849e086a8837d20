/** The server's answers by the names that pages use; the shapes are generated from its OpenAPI. */
import type { components } from './schema';

type Schemas = components['schemas'];

export type Problem = Partial<Schemas['Problem']> & { status: number };
export type AccountSession = Schemas['Session'];
export type OwnChannel = Schemas['SessionChannel'];
export type ChannelCard = Schemas['ChannelItem'];
export type StreamKey = Schemas['StreamKeyBody'];
export type NewStreamKey = Schemas['StreamKeyWithText'];
/** `stats` are figures for people, which the OpenAPI leaves open; every one of them may be missing. */
export type Ingest = Omit<Schemas['IngestReport'], 'stats'> & { stats?: StreamStats | null };

interface StreamStats {
  publisher?: { transport: string; rtt_ms?: number | null; loss?: number | null } | null;
  layers: LayerStats[];
  audio?: { codec: string; bitrate: number; lost: number } | null;
}

interface LayerStats {
  rid?: string | null;
  codec: string;
  width?: number | null;
  height?: number | null;
  fps: number;
  bitrate: number;
  keyframe_interval_ms?: number | null;
  lost: number;
  active: boolean;
}
