/** The server's answers, as the pages use them. */

export interface Problem {
  type?: string;
  title?: string;
  status: number;
  detail?: string;
  code?: string;
}

export interface AccountSession {
  account: { id: string; name: string; role: string };
  channels: OwnChannel[];
}

export interface OwnChannel {
  handle: string;
  name: string;
}

export type ChannelState = 'offline' | 'live' | 'reconnecting';

export interface ChannelCard {
  handle: string;
  name: string;
  state: ChannelState;
  started_at: string | null;
  viewers: number;
  width: number | null;
  height: number | null;
}

export interface Channel {
  handle: string;
  name: string;
  state: ChannelState;
  started_at: string | null;
  ended_at: string | null;
  viewers: number;
  owner: boolean;
}

export interface StreamKey {
  id: string;
  name: string;
  prefix: string;
  created_at: string;
  last_used_at: string | null;
}

export interface NewStreamKey extends StreamKey {
  /** Told this once. */
  key: string;
}

export interface LayerStats {
  rid: string | null;
  codec: string;
  width: number | null;
  height: number | null;
  fps: number;
  bitrate: number;
  keyframe_interval_ms: number | null;
  packets: number;
  lost: number;
  nacks: number;
  plis: number;
  active: boolean;
}

export interface StreamStats {
  publisher: {
    transport: string;
    rtt_ms: number | null;
    loss: number | null;
    connected_ms: number;
    media_age_ms: number | null;
    answers_pli: boolean | null;
  } | null;
  layers: LayerStats[];
  audio: { codec: string; bitrate: number; packets: number; lost: number; active: boolean } | null;
  viewers: number;
}

export interface Ingest {
  state: 'waiting' | 'connecting' | 'receiving' | 'reconnecting';
  summary: string;
  problem: string | null;
  started_at: string | null;
  viewers: number;
  source: string | null;
  stats: StreamStats | null;
  last_attempt: { at: string; detail: string } | null;
}
