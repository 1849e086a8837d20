/** How a channel stands on the server, as far as its publisher needs to know. */

export interface Standing {
  state: 'offline' | 'live' | 'reconnecting';
  /** `null` where the server does not tell. */
  windowMs: number | null;
  /** Who publishes: `null` for nobody, `undefined` where the server does not tell. */
  publisher: { session: string; connected: boolean } | null | undefined;
}

interface ChannelAnswer {
  state: Standing['state'];
  reconnect_window_seconds?: number;
}

interface IngestAnswer {
  stats?: { publisher?: { session: string; connected: boolean } | null } | null;
}

/** `null` when the server cannot be asked. */
export async function askStanding(handle: string): Promise<Standing | null> {
  const path = `/api/channels/${encodeURIComponent(handle)}`;
  // Only the signed-in owner is told who publishes.
  const [channel, ingest] = await Promise.all([
    ask<ChannelAnswer>(path),
    ask<IngestAnswer>(`${path}/ingest`),
  ]);
  if (!channel) return null;
  const seconds = channel.reconnect_window_seconds;
  return {
    state: channel.state,
    windowMs: seconds === undefined ? null : seconds * 1000,
    publisher: ingest ? (ingest.stats?.publisher ?? null) : undefined,
  };
}

async function ask<T>(path: string): Promise<T | null> {
  const signal = AbortSignal.timeout(4000);
  const response = await fetch(path, { cache: 'no-store', signal }).catch(() => null);
  return response?.ok ? await response.json().catch(() => null) : null;
}
