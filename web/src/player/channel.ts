/** What the server says of a channel, as far as a player needs it. */

export interface ChannelFacts {
  handle: string;
  name: string;
  state: 'offline' | 'live' | 'reconnecting';
  startedAt: string | null;
  endedAt: string | null;
  viewers: number;
  owner: boolean;
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
  };
}
