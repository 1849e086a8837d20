/** A colour for a name: the same for everybody and for ever, and readable on our surfaces. */

/** Degrees of a colour wheel, from the name's letters; lightness and strength are the theme's. */
export function hueOf(name: string): number {
  let hash = 2166136261;
  for (const char of name.toLowerCase()) {
    hash ^= char.codePointAt(0) ?? 0;
    hash = Math.imul(hash, 16777619);
  }
  return HUES[(hash >>> 0) % HUES.length] ?? 0;
}

/** In steps that the eye tells apart, without the red of what is live. */
const HUES = Array.from({ length: 21 }, (_, at) => 45 + at * 15);

/** The OKLCH lightness and chroma of names in the two themes; `styles/tokens.css` has the same. */
export const NAME_COLOURS = {
  dark: { lightness: 0.8, chroma: 0.12 },
  light: { lightness: 0.47, chroma: 0.12 },
};
