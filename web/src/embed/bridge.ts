/**
 * What the page around a frame and the player in it tell each other (docs/EMBED.md). Only the parent is
 * heard, only by its origin, and nothing is sent to whoever has not said who it is.
 */
import type { TallylightPlayer } from '../element/element';

/** What the player is told. */
export interface Command {
  tallylight: 'hello' | 'play' | 'pause' | 'seek' | 'mute' | 'unmute' | 'volume' | 'quality';
  value?: unknown;
}

const EVENTS = ['ready', 'playing', 'paused', 'ended', 'state', 'viewers', 'quality'] as const;

/** Reads a message of the page around; `null` of what is not for us. */
export function readCommand(data: unknown): Command | null {
  const { tallylight, value } = (typeof data === 'object' && data ? data : {}) as Record<string, unknown>;
  switch (tallylight) {
    case 'hello':
    case 'play':
    case 'pause':
    case 'mute':
    case 'unmute':
      return { tallylight };
    case 'seek':
    case 'volume':
      return typeof value === 'number' && Number.isFinite(value) ? { tallylight, value } : null;
    case 'quality':
      return value === null || typeof value === 'string' ? { tallylight, value } : null;
    default:
      return null;
  }
}

/** The origin that the parent must have; `null` while any may say who it is. */
export function expectedOrigin(
  asked: string | null,
  ancestors: readonly string[] | undefined,
): string | null {
  if (asked) return asked;
  // Chromium and WebKit say who frames us.
  return ancestors?.[0] && ancestors[0] !== 'null' ? ancestors[0] : null;
}

export function connect(player: TallylightPlayer, asked: string | null): void {
  if (window.parent === window) return;
  const { ancestorOrigins } = location as { ancestorOrigins?: DOMStringList };
  let host = expectedOrigin(asked, ancestorOrigins && [...ancestorOrigins]);
  const kept = new Map<string, unknown>();
  const tell = (event: string, value: unknown) => {
    if (host !== null) window.parent.postMessage({ tallylight: event, value }, host);
  };
  for (const name of EVENTS) {
    player.addEventListener(name, (event) => {
      const { detail } = event as CustomEvent;
      kept.set(name, detail);
      tell(name, detail);
    });
  }
  window.addEventListener('message', ({ source, origin, data }) => {
    if (source !== window.parent || origin === 'null') return;
    if (host !== null && origin !== host) return;
    const command = readCommand(data);
    if (!command) return;
    host = origin;
    obey(player, command);
    if (command.tallylight !== 'hello') return;
    // What was told before anybody listened.
    for (const name of ['ready', 'state', 'viewers', 'quality']) {
      if (kept.has(name)) tell(name, kept.get(name));
    }
  });
}

function obey(player: TallylightPlayer, { tallylight, value }: Command): void {
  switch (tallylight) {
    case 'play':
      player.play();
      break;
    case 'pause':
      player.pause();
      break;
    case 'seek':
      player.seek(value as number);
      break;
    case 'mute':
    case 'unmute':
      player.muted = tallylight === 'mute';
      break;
    case 'volume':
      player.volume = value as number;
      break;
    case 'quality':
      player.quality = value as string | null;
  }
}
