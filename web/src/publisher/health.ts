/** How the upload goes: numbers from the peer connection, and what they mean in words. */

export interface SentLayer {
  rid: string;
  width: number;
  height: number;
  fps: number;
  /** bit/s */
  bitrate: number;
  active: boolean;
}

export interface UploadStats {
  /** bit/s of picture and sound */
  bitrate: number;
  fps: number;
  /** 0–1 of the last report */
  loss: number | null;
  rttMs: number | null;
  codec: string | null;
  encoder: string | null;
  transport: 'UDP' | 'TCP' | 'TURN' | null;
  limitation: 'none' | 'cpu' | 'bandwidth' | 'other';
  /** bit/s that the connection is thought to carry */
  available: number | null;
  /** largest first; only those that send */
  layers: SentLayer[];
}

export interface Wanted {
  lines: number;
  fps: number;
  /** bit/s of all layers together */
  bitrate: number;
  /** Nothing moves in a still picture, so few frames are no fault. */
  still: boolean;
}

export interface Health {
  /** What it is about: the same while only the numbers in its words change. */
  topic: 'nothing' | 'loss' | 'bandwidth' | 'small' | 'cpu' | 'frames' | 'delay' | 'steady';
  tone: 'good' | 'fair' | 'poor';
  title: string;
  advice: string;
}

type Entry = Record<string, unknown>;

/** Turns the counters of two moments into rates; one instance a session. */
export class UploadSampler {
  #last = new Map<string, { at: number; bytes: number }>();

  read(report: RTCStatsReport | Map<string, RTCStats>, now: number): UploadStats {
    const all = [...(report as Map<string, Entry>).values()];
    const outbound = all.filter(({ type }) => type === 'outbound-rtp');
    const video = outbound.filter(({ kind }) => kind === 'video');
    const remote = all.filter(({ type, kind }) => type === 'remote-inbound-rtp' && kind === 'video');
    const transport = all.find(({ type }) => type === 'transport');
    const pair = all.find(({ id }) => id === transport?.selectedCandidatePairId);
    const local = all.find(({ id }) => id === pair?.localCandidateId);

    let bitrate = 0;
    const rates = new Map<Entry, number>();
    for (const entry of outbound) {
      // Padding that probes the network counts as header bytes: it is no picture.
      const rate = this.#rate(String(entry.id), num(entry.bytesSent), now);
      rates.set(entry, rate);
      bitrate += rate;
    }
    const layers = video
      .map((entry) => ({
        rid: typeof entry.rid === 'string' ? entry.rid : '',
        width: num(entry.frameWidth),
        height: num(entry.frameHeight),
        fps: num(entry.framesPerSecond),
        bitrate: rates.get(entry) ?? 0,
        active: entry.active !== false && num(entry.framesPerSecond) > 0,
      }))
      .filter(({ active }) => active)
      .sort((a, b) => b.height - a.height);
    const losses = remote.map(({ fractionLost }) => num(fractionLost));
    const rtt =
      num(pair?.currentRoundTripTime) || Math.max(0, ...remote.map((entry) => num(entry.roundTripTime)));
    const reasons = video.map((entry) => String(entry.qualityLimitationReason ?? 'none'));

    return {
      bitrate,
      fps: Math.max(0, ...layers.map(({ fps }) => fps)),
      loss: losses.length > 0 ? Math.max(...losses) : null,
      rttMs: rtt > 0 ? rtt * 1000 : null,
      codec: mime(all.find(({ id }) => id === video[0]?.codecId)?.mimeType),
      encoder: typeof video[0]?.encoderImplementation === 'string' ? video[0].encoderImplementation : null,
      transport: local
        ? local.candidateType === 'relay'
          ? 'TURN'
          : local.protocol === 'tcp'
            ? 'TCP'
            : 'UDP'
        : null,
      limitation: reasons.includes('cpu') ? 'cpu' : reasons.includes('bandwidth') ? 'bandwidth' : 'none',
      available: typeof pair?.availableOutgoingBitrate === 'number' ? pair.availableOutgoingBitrate : null,
      layers,
    };
  }

  #rate(id: string, bytes: number, now: number): number {
    const last = this.#last.get(id);
    this.#last.set(id, { at: now, bytes });
    if (!last || now <= last.at || bytes < last.bytes) return 0;
    return ((bytes - last.bytes) * 8000) / (now - last.at);
  }
}

/** What the numbers mean for the viewers, and what to do about it. */
export function assess(stats: UploadStats, wanted: Wanted, words: (bitsPerSecond: number) => string): Health {
  const top = stats.layers[0];
  const seen = top ? `${Math.min(top.width, top.height)}p` : 'nothing';
  const short = top !== undefined && Math.min(top.width, top.height) < wanted.lines * 0.9;
  if (!top || stats.bitrate < 1000) {
    return {
      topic: 'nothing',
      tone: 'poor',
      title: 'No picture leaves this computer',
      advice:
        'Viewers see nothing new. Check the camera, then your network; the stream tries to recover by itself.',
    };
  }
  if ((stats.loss ?? 0) > 0.08) {
    return {
      topic: 'loss',
      tone: 'poor',
      title: `${percent(stats.loss)} of your packets get lost`,
      advice: 'Viewers see freezes. Use a cable or move closer to the router, and stop other uploads.',
    };
  }
  if (stats.limitation === 'bandwidth' && (short || stats.bitrate < wanted.bitrate * 0.5)) {
    return {
      topic: 'bandwidth',
      tone: stats.bitrate < 500_000 ? 'poor' : 'fair',
      title: `Your upload carries ${words(stats.bitrate)} of ${words(wanted.bitrate)}`,
      advice: `Viewers see ${seen} at most. Move closer to the router, use a cable, or choose a smaller quality.`,
    };
  }
  if (short && stats.limitation !== 'cpu') {
    return {
      topic: 'small',
      tone: 'fair',
      title: `Only ${seen} is sent`,
      advice: `You chose ${wanted.lines}p. The larger sizes follow when your upload carries them; if they never do, choose a smaller quality.`,
    };
  }
  if (stats.limitation === 'cpu') {
    return {
      topic: 'cpu',
      tone: 'fair',
      title: 'This computer encodes too slowly',
      advice: `Viewers see ${seen} at ${Math.round(stats.fps)} frames a second. Close other programs or choose a smaller quality.`,
    };
  }
  if (!wanted.still && stats.fps < wanted.fps * 0.6) {
    return {
      topic: 'frames',
      tone: 'fair',
      title: `Only ${Math.round(stats.fps)} frames a second`,
      advice: 'Many cameras slow down in the dark: add light, or choose another camera.',
    };
  }
  if ((stats.loss ?? 0) > 0.02 || (stats.rttMs ?? 0) > 400) {
    const lossy = (stats.loss ?? 0) > 0.02;
    return {
      topic: lossy ? 'loss' : 'delay',
      tone: 'fair',
      title: lossy ? `${percent(stats.loss)} of your packets get lost` : 'The way to the server is slow',
      advice: 'It still holds. A cable instead of Wi-Fi makes it safer.',
    };
  }
  return {
    topic: 'steady',
    tone: 'good',
    title: 'Your upload is steady',
    advice: `Viewers can see ${seen} at ${Math.round(stats.fps)} frames a second.`,
  };
}

function percent(share: number | null): string {
  return `${Math.round((share ?? 0) * 100)} %`;
}
function num(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
function mime(value: unknown): string | null {
  return typeof value === 'string' ? (value.split('/')[1] ?? value) : null;
}
