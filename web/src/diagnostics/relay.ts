/** The address of a TURN server (RFC 7065 §3.1). */

export interface Relay {
  url: string;
  /** "live.example.org:3478" */
  place: string;
  port: number;
  /** How media get to it. */
  by: 'UDP' | 'TCP' | 'TLS';
}

/** `null` for what is no TURN server: a STUN server relays nothing. */
export function relayOf(url: string): Relay | null {
  const match = /^(turns?):(\[[^\]]+\]|[^:?]+)(?::(\d+))?(?:\?transport=(\w+))?$/i.exec(url);
  if (!match) return null;
  const [, scheme = '', host = '', told, transport = ''] = match;
  const isTls = scheme.toLowerCase() === 'turns';
  const port = told ? Number(told) : isTls ? 5349 : 3478;
  const by = isTls ? 'TLS' : transport.toLowerCase() === 'tcp' ? 'TCP' : 'UDP';
  return { url, place: `${host}:${port}`, port, by };
}

/** The relays among ICE servers, each once. */
export function relaysOf(servers: RTCIceServer[]): Relay[] {
  const urls = new Set(servers.flatMap((server) => server.urls));
  return [...urls].map(relayOf).filter((relay): relay is Relay => relay !== null);
}
