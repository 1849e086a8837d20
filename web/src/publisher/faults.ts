/** Why a camera, microphone or screen could not be had, in words that help. */

export type SourceKind = 'camera' | 'microphone' | 'screen';

export interface Fault {
  cause: 'insecure' | 'blocked' | 'dismissed' | 'system' | 'in_use' | 'none' | 'unplugged' | 'other';
  title: string;
  help: string;
}

export interface Surroundings {
  /** Whether the page is on https or localhost. */
  secure: boolean;
  /** The browser's standing answer for this page, where it tells. */
  permission: PermissionState | null;
}

/** Explains what `getUserMedia` or `getDisplayMedia` threw. */
export function explain(error: unknown, kind: SourceKind, { secure, permission }: Surroundings): Fault {
  if (!secure) return INSECURE;
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  const message = error instanceof Error || error instanceof DOMException ? error.message : '';
  const the = kind === 'screen' ? 'screen' : kind;
  switch (name) {
    case 'NotAllowedError':
    case 'PermissionDeniedError':
      if (/system/i.test(message)) return systemBlock(the);
      if (kind === 'screen' || /dismiss/i.test(message)) return dismissed(the);
      return permission === 'prompt' ? dismissed(the) : blocked(the);
    case 'NotFoundError':
    case 'DevicesNotFoundError':
      return {
        cause: 'none',
        title: `No ${the} found`,
        help:
          kind === 'screen'
            ? 'There is nothing to share on this device.'
            : `Plug one in or switch it on; it is picked up at once. Without a ${the} you can still go live with the rest.`,
      };
    case 'NotReadableError':
    case 'TrackStartError':
    case 'AbortError':
      return {
        cause: 'in_use',
        title: `The ${the} is in use`,
        help: `Another program or tab holds it. Close that (a video call, OBS, the camera app), then try again.`,
      };
    case 'SecurityError':
      return blocked(the);
    default:
      return {
        cause: 'other',
        title: `The ${the} did not start`,
        help: message ? `The browser says: ${message}` : 'Try again, or choose another one.',
      };
  }
}

export function unplugged(kind: SourceKind): Fault {
  return {
    cause: 'unplugged',
    title: `The ${kind} was unplugged`,
    help:
      kind === 'microphone'
        ? 'Your stream goes on without sound. Plug it in again, or choose another one.'
        : 'Your stream goes on with a still picture. Plug it in again, or choose another one.',
  };
}

const INSECURE: Fault = {
  cause: 'insecure',
  title: 'This address is not secure',
  help: 'Browsers give cameras and microphones only to pages on https:// or on localhost. Open this server by https, or go live from OBS.',
};

function blocked(the: string): Fault {
  return {
    cause: 'blocked',
    title: `The ${the} is blocked for this page`,
    help: `Open the settings icon left of the address, allow the ${the}, then try again.`,
  };
}

function dismissed(the: string): Fault {
  return {
    cause: 'dismissed',
    title: `The ${the} was not shared`,
    help: `The browser's question was closed. Try again and choose "Allow".`,
  };
}

function systemBlock(the: string): Fault {
  return {
    cause: 'system',
    title: `Your system blocks the ${the}`,
    help: `Allow it for this browser in the system's privacy settings (macOS: Privacy & Security; Windows: Privacy › ${the === 'screen' ? 'Screenshots' : `${the[0]?.toUpperCase()}${the.slice(1)}`}), then start the browser again.`,
  };
}
