/** What the address of a page for frames asks for. */

export interface Embed {
  channel: string | null;
  video: string | null;
  autoplay: boolean;
  muted: boolean;
  controls: boolean;
  /** As it stands in the address. */
  start: string | null;
  accent: string | null;
  /** The only page that may send commands, where the address names one. */
  origin: string | null;
}

export function readAddress(pathname: string, search: string): Embed {
  const query = new URLSearchParams(search);
  const video = /^\/embed\/videos\/([^/]+)\/?$/.exec(pathname)?.[1] ?? null;
  const channel = /^\/embed\/([^/]+)\/?$/.exec(pathname)?.[1] ?? null;
  return {
    channel: channel && decoded(channel),
    video: video && decoded(video),
    autoplay: flag(query.get('autoplay'), true),
    muted: flag(query.get('muted'), true),
    controls: flag(query.get('controls'), true),
    start: query.get('t'),
    accent: query.get('accent'),
    origin: query.get('origin'),
  };
}

function flag(value: string | null, otherwise: boolean): boolean {
  if (value === null) return otherwise;
  return !['0', 'false', 'no', 'off'].includes(value.toLowerCase());
}

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
