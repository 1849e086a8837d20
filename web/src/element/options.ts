/** What the attributes of a player and the query of its page for frames have in common. */
import { parseMoment } from '../player/resume';

export interface Options {
  /** What to play; `null` where nothing is named. */
  channel: string | null;
  video: string | null;
  /** Origin of the server; empty where the page is its own. */
  server: string;
  autoplay: boolean;
  muted: boolean;
  controls: boolean;
  /** Seconds into a recording to begin at; `null` is where this viewer left off. */
  startS: number | null;
  /** `#rrggbb`. */
  accent: string | null;
}

/** "30", "1m30s"; `null` when it is none. */
export function startOf(text: string | null): number | null {
  return text === null ? null : parseMoment(text);
}

/** A colour as six or three digits, with or without the sign before it; `null` when it is none. */
export function accentOf(text: string | null): string | null {
  const digits = /^#?([0-9a-f]{6}|[0-9a-f]{3})$/i.exec(text ?? '')?.[1];
  return digits ? `#${digits.toLowerCase()}` : null;
}

/** `scheme://host:port` of an address; empty when it is none, or the page's own. */
export function originOf(text: string | null, own: string): string {
  if (!text) return '';
  try {
    const { origin, protocol } = new URL(text);
    return /^https?:$/.test(protocol) && origin !== own ? origin : '';
  } catch {
    return '';
  }
}
