/** The small pictures for a seek bar, one every few seconds of a stream. */

export interface Storyboard {
  startMs: number;
  everyMs: number;
  /** By time, with their addresses. */
  images: { atMs: number; url: string }[];
}

/** `null` when there is none, or it could not be read. */
export async function fetchStoryboard(path: string): Promise<Storyboard | null> {
  const response = await fetch(path).catch(() => null);
  if (!response?.ok) return null;
  return readStoryboard(await response.json().catch(() => null), response.url || path);
}

export function readStoryboard(body: unknown, base: string): Storyboard | null {
  const wire = body as {
    start_unix_ms?: unknown;
    every_ms?: unknown;
    images?: { unix_ms?: unknown; uri?: unknown }[];
  } | null;
  if (!Array.isArray(wire?.images)) return null;
  const images = wire.images.flatMap(({ unix_ms, uri }) =>
    typeof unix_ms === 'number' && typeof uri === 'string'
      ? [{ atMs: unix_ms, url: new URL(uri, base).href }]
      : [],
  );
  return {
    startMs: typeof wire.start_unix_ms === 'number' ? wire.start_unix_ms : (images[0]?.atMs ?? 0),
    everyMs: typeof wire.every_ms === 'number' ? wire.every_ms : 10_000,
    images: images.sort((a, b) => a.atMs - b.atMs),
  };
}

/** The picture of a moment: the last one before it, or the first just after; none across a gap. */
export function imageAt(board: Storyboard, atMs: number): string | null {
  const nearest = board.images.reduce<{ atMs: number; url: string } | null>(
    (best, image) => (!best || Math.abs(image.atMs - atMs) < Math.abs(best.atMs - atMs) ? image : best),
    null,
  );
  return nearest && Math.abs(nearest.atMs - atMs) <= board.everyMs * 1.5 ? nearest.url : null;
}
