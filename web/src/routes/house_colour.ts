/** The colour of the whole server, where its admins chose one; a channel's own takes its place on its page. */
import { useEffect } from 'react';

/** Between these, a colour has 3:1 or more with the surfaces of both themes; the server asks it of channels' (WCAG 2.2 §1.4.11). */
const DARKEST = 0.124;
const LIGHTEST = 0.277;

/** Puts the colour on, or takes it off. */
export function useHouseColour(wish: string | undefined): void {
  useEffect(() => {
    const { style } = document.documentElement;
    const colour = visible(wish ?? '');
    if (colour) style.setProperty('--accent', colour);
    else style.removeProperty('--accent');
  }, [wish]);
}

/** A colour `#rrggbb` made just light or dark enough to be seen on both themes; `null` when it is none. */
export function visible(wish: string): string | null {
  const digits = /^#([0-9a-f]{6})$/i.exec(wish)?.[1];
  if (!digits) return null;
  const light = [0, 2, 4].map((at) => lightOf(Number.parseInt(digits.slice(at, at + 2), 16) / 255));
  const luminance = luminanceOf(light);
  const white = Math.max(0, (DARKEST - luminance) / (1 - luminance));
  const shade = Math.min(1, LIGHTEST / luminance);
  const seen = light.map((part) => (white > 0 ? part + white * (1 - part) : part * shade));
  return `#${seen.map((part) => hex(codeOf(part))).join('')}`;
}

/** Relative luminance of parts in linear light (WCAG 2.2, "relative luminance"). */
function luminanceOf([red = 0, green = 0, blue = 0]: number[]): number {
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function lightOf(code: number): number {
  return code <= 0.04045 ? code / 12.92 : ((code + 0.055) / 1.055) ** 2.4;
}

function codeOf(light: number): number {
  return light <= 0.0031308 ? light * 12.92 : 1.055 * light ** (1 / 2.4) - 0.055;
}

function hex(part: number): string {
  return Math.round(part * 255)
    .toString(16)
    .padStart(2, '0');
}
