/** The renditions that a multivariant playlist lists, asked for again and again at little cost. */
import { withoutPass } from './pass';

/** Addresses of those with a picture; `null` when it could not be read. The browser revalidates by ETag. */
export async function fetchVariants(url: string): Promise<string[] | null> {
  const response = await fetch(url, { cache: 'no-cache' }).catch(() => null);
  if (!response?.ok) return null;
  const base = response.url || new URL(url, location.href).href;
  // A playlist has another pass each time, and the same renditions.
  return variants(await response.text()).map((uri) => withoutPass(new URL(uri, base).href));
}

export function variants(playlist: string): string[] {
  const lines = playlist.split(/\r?\n/);
  return lines.flatMap((line, at) =>
    line.startsWith('#EXT-X-STREAM-INF:') && line.includes('RESOLUTION=') ? [lines[at + 1] ?? ''] : [],
  );
}
