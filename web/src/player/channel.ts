/** What the server says of a channel, as far as a player needs it. */

/** What the server offers beside the direct connection. */
export interface HlsOffer {
  state: 'preparing' | 'ready' | 'unavailable';
  url: string;
  /** Why there is none, for people. */
  reason: string | null;
  /** How far back it reaches. */
  windowMs: number;
}

export interface ChannelFacts {
  handle: string;
  name: string;
  state: 'offline' | 'live' | 'reconnecting';
  startedAt: string | null;
  endedAt: string | null;
  viewers: number;
  owner: boolean;
  /** `null` off air. */
  hls: HlsOffer | null;
  /** How far the server's clock is ahead of this one, when by more than it can be told. */
  clockAheadMs: number;
}

/** HLS, when there is something to play. */
export function offered(channel: ChannelFacts | null): HlsOffer | null {
  return channel?.hls?.state === 'ready' ? channel.hls : null;
}

/** `missing` when the server knows no such channel, `null` when it could not be asked. */
export async function fetchChannel(handle: string): Promise<ChannelFacts | 'missing' | null> {
  const response = await fetch(`/api/channels/${encodeURIComponent(handle)}`, { cache: 'no-store' }).catch(
    () => null,
  );
  if (response?.status === 404) return 'missing';
  if (!response?.ok) return null;
  const body = await response.json().catch(() => null);
  if (typeof body?.handle !== 'string') return null;
  return {
    handle: body.handle,
    name: body.name ?? body.handle,
    state: body.state ?? 'offline',
    startedAt: body.started_at ?? null,
    endedAt: body.ended_at ?? null,
    viewers: body.viewers ?? 0,
    owner: body.owner ?? false,
    hls: hlsOffer(body.hls),
    clockAheadMs: clockAhead(response.headers.get('Date'), Date.now()),
  };
}

function hlsOffer(wire: unknown): HlsOffer | null {
  const offer = wire as { state?: unknown; url?: unknown; reason?: unknown; window_seconds?: unknown } | null;
  if (typeof offer?.state !== 'string') return null;
  return {
    state: offer.state === 'ready' || offer.state === 'unavailable' ? offer.state : 'preparing',
    url: typeof offer.url === 'string' ? offer.url : '',
    reason: typeof offer.reason === 'string' ? offer.reason : null,
    windowMs: typeof offer.window_seconds === 'number' ? offer.window_seconds * 1000 : 0,
  };
}

/** The header tells whole seconds, and the answer took its time. */
export function clockAhead(date: string | null, now: number): number {
  const ahead = Date.parse(date ?? '') + 500 - now;
  // Not a number compares as false.
  return Math.abs(ahead) > CLOCK_DOUBT_MS ? ahead : 0;
}

const CLOCK_DOUBT_MS = 2500;
