/** What a site puts into its page to show a player of ours. */

export interface Shared {
  /** Path of the page: `/@ada`, `/videos/…`. */
  path: string;
  /** Path of the page for frames. */
  frame: string;
  /** Attribute of the element, and its value. */
  names: ['channel' | 'video', string];
  title: string;
}

export function sharedChannel(handle: string, title: string): Shared {
  const name = encodeURIComponent(handle);
  return { path: `/@${name}`, frame: `/embed/${name}`, names: ['channel', handle], title };
}

export function sharedVideo(id: string, title: string): Shared {
  return { path: `/videos/${id}`, frame: `/embed/videos/${id}`, names: ['video', id], title };
}

/** In pixels; `null` fills the width that there is. */
export type Width = 480 | 640 | 960 | null;

export const WIDTHS: Width[] = [480, 640, 960, null];

export function frameUrl(shared: Shared, origin: string, start: string | null): string {
  return `${origin}${shared.frame}${start === null ? '' : `?t=${start}`}`;
}

/** An `<iframe>`. */
export function frameCode(shared: Shared, origin: string, width: Width, start: string | null): string {
  const size =
    width === null
      ? 'style="border:0;width:100%;aspect-ratio:16/9"'
      : `width="${width}" height="${(width * 9) / 16}" style="border:0"`;
  const src = escaped(frameUrl(shared, origin, start));
  return `<iframe src="${src}" title="${escaped(shared.title)}" ${size} allow="autoplay; fullscreen; picture-in-picture" allowfullscreen loading="lazy"></iframe>`;
}

/** The element, and the script that it needs. */
export function elementCode(shared: Shared, origin: string, width: Width, start: string | null): string {
  const [name, value] = shared.names;
  const begin = start === null ? '' : ` start="${escaped(start)}"`;
  const size = width === null ? '' : ` style="width:${width}px"`;
  return `<script type="module" src="${escaped(origin)}/player.js"></script>
<tallylight-player ${name}="${escaped(value)}"${begin} autoplay muted controls${size}></tallylight-player>`;
}

function escaped(text: string): string {
  return text.replace(/[&"<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
