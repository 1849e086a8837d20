/** One list of qualities for every transport, and a viewer's wish that outlives a change of transport. */
import { type Layer, resolutionName } from './layers';

export interface Quality {
  /** Good for this transport and session only. */
  id: string;
  /** Of the picture; `null` is sound alone. */
  layer: Layer | null;
}

/** What the viewer wants to see, in words that hold on every transport. */
export interface Wish {
  rid: string;
  /** "720p" */
  name: string | null;
}

/** The id of sound alone, on every transport. */
export const SOUND = 'sound';

export const SOUND_ONLY: Quality = { id: SOUND, layer: null };

export function wishFor(quality: Quality): Wish {
  const { layer } = quality;
  return { rid: quality.id, name: layer && resolutionName(layer.width, layer.height, null) };
}

/** The quality that fulfils a wish, by its own name first. */
export function fulfils(wish: Wish | null, qualities: Quality[]): Quality | null {
  if (!wish) return null;
  const named = qualities.find(({ id }) => id === wish.rid);
  if (named) return named;
  if (wish.name === null) return null;
  return qualities.find((quality) => quality.layer && wishFor(quality).name === wish.name) ?? null;
}
