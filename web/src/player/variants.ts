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

/** Each once: of several pathways to the same, those of the first that is listed. */
export function variants(playlist: string): string[] {
  const lines = playlist.split(/\r?\n/);
  const isVariant = (line: string) => line.startsWith('#EXT-X-STREAM-INF:') && line.includes('RESOLUTION=');
  const pathway = pathwayOf(lines.find(isVariant));
  return lines.flatMap((line, at) =>
    isVariant(line) && pathwayOf(line) === pathway ? [lines[at + 1] ?? ''] : [],
  );
}

const pathwayOf = (line = '') => /[:,]PATHWAY-ID="([^"]*)"/.exec(line)?.[1];
