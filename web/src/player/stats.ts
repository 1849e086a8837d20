/** What the statistics overlay shows, sampled from a peer connection once a second. */

export interface PlayerStats {
  /** Of a direct connection UDP, TCP or TURN; of HLS who plays it. */
  transport: string | null;
  codec: string | null;
  decoder: string | null;
  width: number | null;
  height: number | null;
  fps: number | null;
  /** bit/s, picture and sound together */
  bitrate: number | null;
  /** bit/s that the network would give, as estimated; `null` where nobody estimates */
  throughput: number | null;
  /** share of packets lost since the last sample, 0–1 */
  loss: number | null;
  jitterMs: number | null;
  rttMs: number | null;
  bufferMs: number | null;
  decodeMs: number | null;
  framesDecoded: number;
  framesDropped: number;
  packetsReceived: number;
  freezes: number;
  freezeMs: number;
  /** glass-to-glass */
  latencyMs: number | null;
  latencySource: 'capture time' | 'estimate' | 'playlist' | null;
}

interface Totals {
  at: number;
  bytes: number;
  packets: number;
  lost: number;
  bufferDelay: number;
  bufferCount: number;
  decodeTime: number;
  decoded: number;
}

/** Turns the counters of two moments into rates; one instance a session. */
export class StatsSampler {
  #last: Totals | null = null;

  async sample(pc: RTCPeerConnection, now: number): Promise<PlayerStats> {
    const report = await pc.getStats();
    const stats = this.read(report, now);
    const captured = captureLatency(pc);
    if (captured !== null) {
      stats.latencyMs = captured;
      stats.latencySource = 'capture time';
    } else if (stats.rttMs !== null && stats.bufferMs !== null) {
      // Two network legs of about this viewer's, the buffer, the decoder, one frame of encoding and display.
      stats.latencyMs = stats.rttMs + stats.bufferMs + (stats.decodeMs ?? 0) + 33;
      stats.latencySource = 'estimate';
    }
    return stats;
  }

  /** The pure part of a sample. */
  read(report: RTCStatsReport | Map<string, RTCStats>, now: number): PlayerStats {
    const all = [...(report as Map<string, Record<string, unknown>>).values()];
    const video = all.find((entry) => entry.type === 'inbound-rtp' && entry.kind === 'video') ?? {};
    const audio = all.find((entry) => entry.type === 'inbound-rtp' && entry.kind === 'audio') ?? {};
    const pair = selectedPair(all);
    const local = all.find((entry) => entry.id === pair?.localCandidateId);
    const remote = all.find((entry) => entry.id === pair?.remoteCandidateId);
    const codec = all.find((entry) => entry.id === video.codecId);

    const totals: Totals = {
      at: now,
      bytes: num(video.bytesReceived) + num(audio.bytesReceived),
      packets: num(video.packetsReceived) + num(audio.packetsReceived),
      lost: num(video.packetsLost) + num(audio.packetsLost),
      bufferDelay: num(video.jitterBufferDelay),
      bufferCount: num(video.jitterBufferEmittedCount),
      decodeTime: num(video.totalDecodeTime),
      decoded: num(video.framesDecoded),
    };
    const last = this.#last;
    this.#last = totals;
    const delta = (key: keyof Totals) => totals[key] - (last?.[key] ?? totals[key]);
    const seconds = delta('at') / 1000;
    const expected = delta('packets') + delta('lost');

    return {
      transport: transportOf(local, remote),
      codec: codecName(codec?.mimeType, codec?.sdpFmtpLine),
      decoder: text(video.decoderImplementation),
      width: maybe(video.frameWidth),
      height: maybe(video.frameHeight),
      fps: maybe(video.framesPerSecond),
      bitrate: seconds > 0 ? Math.max(0, delta('bytes') * 8) / seconds : null,
      throughput: null,
      loss: last && expected > 0 ? Math.max(0, delta('lost') / expected) : null,
      jitterMs: ms(video.jitter ?? audio.jitter),
      rttMs: ms(pair?.currentRoundTripTime),
      bufferMs: delta('bufferCount') > 0 ? (delta('bufferDelay') / delta('bufferCount')) * 1000 : null,
      decodeMs: delta('decoded') > 0 ? (delta('decodeTime') / delta('decoded')) * 1000 : null,
      framesDecoded: totals.decoded,
      framesDropped: num(video.framesDropped),
      packetsReceived: totals.packets,
      freezes: num(video.freezeCount),
      freezeMs: num(video.totalFreezesDuration) * 1000,
      latencyMs: null,
      latencySource: null,
    };
  }
}

function selectedPair(all: Record<string, unknown>[]): Record<string, unknown> | undefined {
  const transport = all.find((entry) => entry.type === 'transport');
  return (
    all.find((entry) => entry.id === transport?.selectedCandidatePairId) ??
    all.find((entry) => entry.type === 'candidate-pair' && entry.nominated && entry.state === 'succeeded')
  );
}

function transportOf(
  local: Record<string, unknown> | undefined,
  remote: Record<string, unknown> | undefined,
): 'UDP' | 'TCP' | 'TURN' | null {
  if (!local) return null;
  if (local.candidateType === 'relay') return 'TURN';
  return (remote?.protocol ?? local.protocol) === 'tcp' ? 'TCP' : 'UDP';
}

/** "H264 High 3.1" for people, from `video/H264` and its format parameters. */
export function codecName(mimeType: unknown, fmtp: unknown): string | null {
  if (typeof mimeType !== 'string') return null;
  const name = mimeType.split('/')[1] ?? mimeType;
  const profile = /profile-level-id=([0-9a-f]{2})[0-9a-f]{2}([0-9a-f]{2})/i.exec(String(fmtp ?? ''));
  if (name.toUpperCase() !== 'H264' || !profile?.[1] || !profile[2]) return name;
  const profiles: Record<string, string> = { '42': 'Baseline', '4d': 'Main', '64': 'High', f4: 'High 4:4:4' };
  return `${name} ${profiles[profile[1].toLowerCase()] ?? ''} ${Number.parseInt(profile[2], 16) / 10}`;
}

/** Seconds between 1900 (NTP) and 1970 (Unix), in milliseconds. */
const NTP_EPOCH_MS = 2_208_988_800_000;

/**
 * How old the newest picture was when it came out of the buffer and the decoder: `timestamp` is when it
 * was delivered to the track, `captureTimestamp` when the camera took it, by its own clock
 * (webrtc-extensions, RTCRtpContributingSource).
 */
function captureLatency(pc: RTCPeerConnection): number | null {
  const receiver = pc.getReceivers().find(({ track }) => track.kind === 'video');
  const source = receiver?.getSynchronizationSources?.()[0] as
    | { timestamp: number; captureTimestamp?: number }
    | undefined;
  if (source?.captureTimestamp === undefined) return null;
  const latency = source.timestamp + NTP_EPOCH_MS - source.captureTimestamp;
  // Another machine's clock may be far off; then the figure would only mislead.
  return latency > 0 && latency < 20_000 ? latency : null;
}

function num(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
function maybe(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
function ms(value: unknown): number | null {
  return typeof value === 'number' ? value * 1000 : null;
}
function text(value: unknown): string | null {
  return typeof value === 'string' && value !== 'unknown' ? value : null;
}
