/** The qualities of a stream as its viewers see them: from the `layers` event to menu entries. */

export interface Layer {
  rid: string;
  width: number | null;
  height: number | null;
  /** bit/s */
  bitrate: number | null;
  fps: number | null;
  codec: string | null;
  active: boolean;
}

export interface LayerSet {
  /** The m-line index that the layer request names. */
  mediaId: string;
  /** Largest first. */
  layers: Layer[];
}

interface WireLayer {
  rid?: string | null;
  encodingId?: string | null;
  width?: number | null;
  height?: number | null;
  bitrate?: number | null;
  fps?: number | null;
  codec?: string | null;
  active?: boolean;
}

/** Reads the data of a `layers` event (WHEP Core Extensions): the video m-line is the one with sizes. */
export function parseLayers(data: string): LayerSet | null {
  let wire: unknown;
  try {
    wire = JSON.parse(data);
  } catch {
    return null;
  }
  if (typeof wire !== 'object' || wire === null) return null;
  for (const [mediaId, value] of Object.entries(wire)) {
    const entries: WireLayer[] = Array.isArray(value) ? value : (value?.layers ?? []);
    const layers = entries.map(fromWire).filter((layer) => layer !== null);
    if (layers.some((layer) => layer.height !== null || !/opus/i.test(layer.codec ?? ''))) {
      return { mediaId, layers: layers.sort((a, b) => size(b) - size(a)) };
    }
  }
  return null;
}

function fromWire(wire: WireLayer): Layer | null {
  return {
    rid: wire.rid ?? wire.encodingId ?? '',
    width: wire.width ?? null,
    height: wire.height ?? null,
    bitrate: wire.bitrate ?? null,
    fps: wire.fps ?? null,
    codec: wire.codec ?? null,
    active: wire.active ?? wire.bitrate !== undefined,
  };
}

function size(layer: Layer): number {
  return (layer.width ?? 0) * (layer.height ?? 0) || (layer.bitrate ?? 0) / 1e9;
}

/** "720p", "1080p60"; by the shorter side, so that an upright phone picture keeps its name. */
export function resolutionName(
  width: number | null | undefined,
  height: number | null | undefined,
  fps: number | null,
): string | null {
  if (!width || !height) return null;
  const lines = Math.min(width, height);
  return `${lines}p${fps && fps > 45 ? Math.round(fps / 10) * 10 : ''}`;
}

/** "1.5 Mbit/s", "420 kbit/s". */
export function bitrateName(bitsPerSecond: number): string {
  if (bitsPerSecond >= 999_500) {
    const mega = bitsPerSecond / 1e6;
    return `${mega >= 10 ? Math.round(mega) : mega.toFixed(1)} Mbit/s`;
  }
  return `${Math.round(bitsPerSecond / 1000)} kbit/s`;
}

/** "720p · 1.5 Mbit/s", or what is known of it. */
export function layerName(layer: Layer): string {
  const parts = [
    resolutionName(layer.width, layer.height, layer.fps) ?? (layer.rid ? `Layer ${layer.rid}` : 'Source'),
  ];
  if (layer.bitrate) parts.push(bitrateName(layer.bitrate));
  return parts.join(' · ');
}
