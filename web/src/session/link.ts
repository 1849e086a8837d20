/** `Link` headers of a WHIP or WHEP answer (RFC 8288): ICE servers and extensions. */

export interface Link {
  url: string;
  rel: string;
  params: Record<string, string>;
}

/** Reads a `Link` header, also when several were joined by commas. */
export function parseLinks(header: string | null): Link[] {
  if (!header) return [];
  return header
    .split(/,\s*(?=<)/)
    .map(parseLink)
    .filter((link): link is Link => link !== null);
}

function parseLink(text: string): Link | null {
  const match = /^\s*<([^>]*)>(.*)$/s.exec(text);
  if (!match) return null;
  const params: Record<string, string> = {};
  for (const [, name, quoted, bare] of (match[2] ?? '').matchAll(
    /;\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/g,
  )) {
    if (name) params[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '';
  }
  return { url: match[1] ?? '', rel: params.rel ?? '', params };
}

/** The ICE servers among the links (RFC 9725 §4.6). */
export function iceServers(links: Link[]): RTCIceServer[] {
  return links
    .filter((link) => link.rel === 'ice-server')
    .map(({ url, params }) =>
      params.username === undefined
        ? { urls: url }
        : { urls: url, username: params.username, credential: params.credential ?? '' },
    );
}

/** The address that an extension was given, if the server has it. */
export function extension(links: Link[], rel: string): string | null {
  return links.find((link) => link.rel === rel)?.url ?? null;
}
