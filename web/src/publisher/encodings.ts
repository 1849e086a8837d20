/** What is sent: resolutions, bitrates and the simulcast layers made of them. Pure. */

export interface Quality {
  id: string;
  label: string;
  width: number;
  height: number;
  fps: number;
  /** bit/s of the largest layer: frugal, standard, rich. */
  bitrates: readonly [number, number, number];
}

export const QUALITIES: readonly Quality[] = [
  {
    id: '1080p60',
    label: '1080p60',
    width: 1920,
    height: 1080,
    fps: 60,
    bitrates: [4_500_000, 6_500_000, 9_000_000],
  },
  {
    id: '1080p30',
    label: '1080p',
    width: 1920,
    height: 1080,
    fps: 30,
    bitrates: [3_000_000, 4_500_000, 6_500_000],
  },
  {
    id: '720p60',
    label: '720p60',
    width: 1280,
    height: 720,
    fps: 60,
    bitrates: [2_500_000, 3_800_000, 5_000_000],
  },
  {
    id: '720p30',
    label: '720p',
    width: 1280,
    height: 720,
    fps: 30,
    bitrates: [1_500_000, 2_500_000, 4_000_000],
  },
  {
    id: '480p30',
    label: '480p',
    width: 854,
    height: 480,
    fps: 30,
    bitrates: [700_000, 1_200_000, 2_000_000],
  },
  { id: '360p30', label: '360p', width: 640, height: 360, fps: 30, bitrates: [400_000, 700_000, 1_000_000] },
];

export const DEFAULT_QUALITY = '720p30';

export function qualityById(id: string): Quality {
  const found =
    QUALITIES.find((quality) => quality.id === id) ?? QUALITIES.find(({ id }) => id === DEFAULT_QUALITY);
  if (!found) throw new Error('The default quality is one of the list.');
  return found;
}

export const AUDIO_BITRATE = 128_000;

/** Shares of the largest layer's bitrate, for each halving of its size. */
const SHARES = [1, 0.28, 0.09];
const SMALLEST_BITRATE = 120_000;
/** A layer of fewer lines is worth nobody's time. */
const SMALLEST_LINES = 160;

/** Simulcast layers, smallest first as browsers like it: rids l, m, h; one of 720 lines makes three. */
export function encodingsFor(
  lines: number,
  fps: number,
  bitrate: number,
  options: { codec?: string; simulcast?: boolean; most?: number | null } = {},
): RTCRtpEncodingParameters[] {
  const steps =
    options.simulcast === false
      ? 1
      : SHARES.slice(0, Math.max(1, options.most ?? SHARES.length)).filter(
          (_, step) => step === 0 || lines / 2 ** step >= SMALLEST_LINES,
        ).length;
  const rids = ['h', 'm', 'l'];
  // VP9 and AV1 would answer several encodings with one SVC stream unless told otherwise.
  const needsMode = /vp9|av1/i.test(options.codec ?? '');
  return Array.from({ length: steps }, (_, step) => ({
    ...(steps > 1 ? { rid: rids[step] } : {}),
    scaleResolutionDownBy: 2 ** step,
    maxBitrate: Math.max(SMALLEST_BITRATE, Math.round(bitrate * (SHARES[step] ?? 0.09))),
    maxFramerate: fps,
    ...(needsMode ? { scalabilityMode: 'L1T1' } : {}),
  })).reverse();
}

/** The bitrate of the largest layer with which all layers and the sound stay within a limit. */
export function bitrateWithin(limit: number, layers: number): number {
  const shares = SHARES.slice(0, layers).reduce((sum, share) => sum + share, 0);
  return Math.max(SMALLEST_BITRATE, Math.floor((limit - AUDIO_BITRATE) / shares));
}

export function totalBitrate(encodings: RTCRtpEncodingParameters[]): number {
  return encodings.reduce((sum, { maxBitrate }) => sum + (maxBitrate ?? 0), 0);
}

/** The codecs to offer: H264 first, for players beyond WebRTC need it; a chosen one alone. */
export function orderCodecs<T extends { mimeType: string; sdpFmtpLine?: string }>(
  all: T[],
  chosen: string | null,
): T[] {
  const repair = all.filter(({ mimeType }) => /\/(rtx|red|ulpfec|flexfec-03)$/i.test(mimeType));
  const media = all.filter((codec) => !repair.includes(codec));
  const rank = ({ mimeType, sdpFmtpLine = '' }: T) => {
    const order = ['h264', 'vp8', 'vp9', 'av1', 'h265'].indexOf(mimeType.split('/')[1]?.toLowerCase() ?? '');
    const oneNal = /h264/i.test(mimeType) && !/packetization-mode=1/.test(sdpFmtpLine);
    return (order < 0 ? 9 : order) + (oneNal ? 0.5 : 0);
  };
  const wanted = chosen
    ? media.filter(({ mimeType }) => mimeType.toLowerCase() === `video/${chosen.toLowerCase()}`)
    : media;
  const usable = wanted.length > 0 ? wanted : media;
  return [...usable].sort((a, b) => rank(a) - rank(b)).concat(repair);
}

/** Names of the codecs that this browser can send, H264 first. */
export function sendableCodecs(): string[] {
  const codecs = globalThis.RTCRtpSender?.getCapabilities?.('video')?.codecs ?? [];
  const names = orderCodecs(codecs, null)
    .map(({ mimeType }) => mimeType.split('/')[1] ?? '')
    .filter((name) => !/^(rtx|red|ulpfec|flexfec-03)$/i.test(name));
  return [...new Set(names)];
}

/** Lets Chromium begin near the wanted rate instead of climbing from 300 kbit/s; others ignore it. */
export function withStartBitrate(answer: string, bitsPerSecond: number): string {
  const kbps = Math.round(bitsPerSecond / 1000);
  const lines = answer.split('\r\n');
  const payloads = lines
    .map((line) => /^a=rtpmap:(\d+) (?:H264|VP8|VP9|AV1|H265)\/90000/i.exec(line)?.[1])
    .filter((payload) => payload !== undefined);
  return lines
    .flatMap((line) => {
      const rtpmap = /^a=rtpmap:(\d+) /.exec(line)?.[1];
      const fmtp = /^a=fmtp:(\d+) /.exec(line)?.[1];
      if (fmtp && payloads.includes(fmtp)) return [`${line};x-google-start-bitrate=${kbps}`];
      const alone =
        rtpmap && payloads.includes(rtpmap) && !lines.some((other) => other.startsWith(`a=fmtp:${rtpmap} `));
      return alone ? [line, `a=fmtp:${rtpmap} x-google-start-bitrate=${kbps}`] : [line];
    })
    .join('\r\n');
}
