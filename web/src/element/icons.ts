/** The few signs of the light skin, drawn as lucide draws them. */

const PATHS = {
  play: 'M6 4l14 8-14 8z',
  pause: 'M7 4h3v16H7zM14 4h3v16h-3z',
  sound: 'M11 5L6 9H3v6h3l5 4zM15.5 8.5a5 5 0 0 1 0 7M18.5 5.5a9 9 0 0 1 0 13',
  muted: 'M11 5L6 9H3v6h3l5 4zM22 9l-6 6M16 9l6 6',
  full: 'M8 3H5a2 2 0 0 0-2 2v3M21 8V5a2 2 0 0 0-2-2h-3M3 16v3a2 2 0 0 0 2 2h3M16 21h3a2 2 0 0 0 2-2v-3',
  out: 'M15 3h6v6M10 14L21 3M18 13v6a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2h6',
  lock: 'M5 11h14a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1v-8a1 1 0 0 1 1-1zM8 11V7a4 4 0 0 1 8 0v4',
  moon: 'M12 3a6 6 0 0 0 9 9 9 9 0 1 1-9-9z',
  flag: 'M4 22V4a1 1 0 0 1 .4-.8C8 1 12 5 16 4c2-.5 3-1 4-1.500v11c-5 4-11-2-16 2',
  tower:
    'M5 5a10 10 0 0 0 0 14M8 8a5.500 5.500 0 0 0 0 8M16 8a5.500 5.500 0 0 1 0 8M19 5a10 10 0 0 1 0 14M12 12v9M12 12h.01',
  question: 'M12 22a10 10 0 1 1 0-20 10 10 0 0 1 0 20zM9 9a3 3 0 0 1 6 1c0 2-3 3-3 3M12 17h.01',
  warn: 'M12 3l10 17H2zM12 10v4M12 17h.01',
  eye: 'M2 12c2-4 6-7 10-7s8 3 10 7c-2 4-6 7-10 7s-8-3-10-7zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z',
} as const;

export type Icon = keyof typeof PATHS;

const FILLED = new Set<Icon>(['play', 'pause']);
const SVG = 'http://www.w3.org/2000/svg';

export function icon(name: Icon, size = 22): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  const filled = FILLED.has(name);
  const attributes = {
    viewBox: '0 0 24 24',
    width: String(size),
    height: String(size),
    'aria-hidden': 'true',
    fill: filled ? 'currentColor' : 'none',
    stroke: filled ? 'none' : 'currentColor',
    'stroke-width': '2',
    'stroke-linecap': 'round',
    'stroke-linejoin': 'round',
  };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}
