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

type Access = 'granted' | 'password' | 'members' | 'followers' | 'ticket' | 'banned';

/** Whom a stream is for, beside whom its channel lets in. */
export interface GateFacts {
  who: 'everyone' | 'followers' | 'members' | 'ticket' | 'password';
  tier: number | null;
}

/** What stands before whoever asks. */
export interface EntryFacts {
  access: Access;
  /** From which tier on, where it is for members. */
  tier: number | null;
  /** It is the channel that asks for that. */
  isOfChannel: boolean;
  /** What is left of a free look; `null` where there is none, or it is used up. */
  previewMs: number | null;
}

/** What is said of a stream on air. */
export interface Said {
  id: string;
  title: string;
  category: string | null;
  tags: readonly string[];
  /** Only whoever makes it sees it. */
  preview: boolean;
  /** Which way of watching its creator prefers. */
  latency: 'instant' | 'low' | 'stable';
}

/** A stream that is planned, or was. */
export interface Planned {
  id: string;
  title: string;
  description: string;
  at: string;
  timeZone: string;
  gate: GateFacts;
}

export interface ChannelFacts {
  handle: string;
  name: string;
  state: 'offline' | 'live' | 'reconnecting';
  startedAt: string | null;
  endedAt: string | null;
  viewers: number;
  owner: boolean;
  /** What stands before whoever asks. */
  access: Access;
  /** What stands before the stream on air besides; `null` where nothing does. */
  entry: EntryFacts | null;
  /** `null` off air. */
  hls: HlsOffer | null;
  /** `null` off air. */
  said: Said | null;
  next: Planned | null;
  cancelled: Planned | null;
  /** How far the server's clock is ahead of this one, when by more than it can be told. */
  clockAheadMs: number;
}

/** HLS, when there is something to play. */
export function offered(channel: ChannelFacts | null): HlsOffer | null {
  return channel?.hls?.state === 'ready' ? channel.hls : null;
}

/**
 * `missing` when the server knows no such channel, `null` when it could not be asked. `server` is its
 * origin, empty for the one that the page is of.
 */
export async function fetchChannel(handle: string, server = ''): Promise<ChannelFacts | 'missing' | null> {
  const url = `${server}/api/channels/${encodeURIComponent(handle)}`;
  const response = await fetch(url, { cache: 'no-store' }).catch(() => null);
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
    access: body.access ?? 'granted',
    entry: entryOf(body.stream_entry),
    hls: hlsOffer(body.hls, server),
    said: saidOf(body.stream),
    next: planned(body.next_stream),
    cancelled: planned(body.cancelled_stream),
    clockAheadMs: clockAhead(response.headers.get('Date'), Date.now()),
  };
}

function hlsOffer(wire: unknown, server: string): HlsOffer | null {
  const offer = wire as { state?: unknown; url?: unknown; reason?: unknown; window_seconds?: unknown } | null;
  if (typeof offer?.state !== 'string') return null;
  return {
    state: offer.state === 'ready' || offer.state === 'unavailable' ? offer.state : 'preparing',
    url: typeof offer.url === 'string' ? at(server, offer.url) : '',
    reason: typeof offer.reason === 'string' ? offer.reason : null,
    windowMs: typeof offer.window_seconds === 'number' ? offer.window_seconds * 1000 : 0,
  };
}

/** An address that the server told, for a page that is not its own. */
function at(server: string, url: string): string {
  return server ? new URL(url, server).href : url;
}

type Wire = Record<string, unknown> | null | undefined;

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function saidOf(stream: Wire): Said | null {
  if (!stream) return null;
  const latency = (stream.settings as Wire)?.latency;
  return {
    id: text(stream.id),
    title: text(stream.title),
    category: text(stream.category) || null,
    tags: Array.isArray(stream.tags) ? stream.tags.map(text) : [],
    preview: stream.is_preview === true,
    latency: latency === 'low' || latency === 'stable' ? latency : 'instant',
  };
}

function planned(stream: Wire): Planned | null {
  if (!stream || !text(stream.scheduled_at)) return null;
  return {
    id: text(stream.id),
    title: text(stream.title),
    description: text(stream.description),
    at: text(stream.scheduled_at),
    timeZone: text(stream.time_zone) || 'UTC',
    gate: gateOf(stream.gate as Wire),
  };
}

function gateOf(gate: Wire): GateFacts {
  return { who: (text(gate?.who) || 'everyone') as GateFacts['who'], tier: numberOf(gate?.tier) };
}

/** Reads what the server says of what stands before a stream or a recording. */
export function entryOf(wire: unknown): EntryFacts | null {
  const entry = wire as Wire;
  if (!entry || !text(entry.access)) return null;
  const seconds = numberOf(entry.preview_seconds) ?? 0;
  return {
    access: entry.access as Access,
    tier: numberOf(entry.tier),
    isOfChannel: entry.is_of_channel === true,
    previewMs: seconds > 0 ? seconds * 1000 : null,
  };
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

/** Whether whoever asks may watch, be it for a free look. */
export function isLetIn({ access, entry }: Pick<ChannelFacts, 'access' | 'entry'>): boolean {
  return access === 'granted' && (!entry || entry.access === 'granted' || entry.previewMs !== null);
}

/** How much of a free look is left to whoever has nothing better. */
export function previewLeft(entry: EntryFacts | null): number | null {
  return entry && entry.access !== 'granted' ? entry.previewMs : null;
}

/** The header tells whole seconds, and the answer took its time. */
export function clockAhead(date: string | null, now: number): number {
  const ahead = Date.parse(date ?? '') + 500 - now;
  // Not a number compares as false.
  return Math.abs(ahead) > CLOCK_DOUBT_MS ? ahead : 0;
}

const CLOCK_DOUBT_MS = 2500;
