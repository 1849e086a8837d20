/** The renditions that a multivariant playlist lists, asked for again and again at little cost. */

/** Addresses of those with a picture; `null` when it could not be read. The browser revalidates by ETag. */
export async function fetchVariants(url: string): Promise<string[] | null> {
  const response = await fetch(url, { cache: 'no-cache' }).catch(() => null);
  return response?.ok ? variants(await response.text()) : null;
}

export function variants(playlist: string): string[] {
  const lines = playlist.split(/\r?\n/);
  return lines.flatMap((line, at) =>
    line.startsWith('#EXT-X-STREAM-INF:') && line.includes('RESOLUTION=') ? [lines[at + 1] ?? ''] : [],
  );
}
