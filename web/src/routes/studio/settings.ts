import { useState } from 'react';
import { bitrateWithin, DEFAULT_QUALITY, type Quality, qualityById } from '../../publisher/encodings';
import type { AirOptions } from '../../publisher/publisher';
import type { Switches } from '../../publisher/sources';

/** What the creator chose, remembered in this browser. */
export interface Settings {
  quality: string;
  /** 0 frugal, 1 standard, 2 rich */
  step: 0 | 1 | 2;
  codec: string | null;
  simulcast: boolean;
}

/** Of one picture, as many as there ever are. */
const MOST_LAYERS = 3;
const KEY = 'tallylight.studio';
const ON_AIR_KEY = 'tallylight.on_air';
const DEFAULTS: Settings = { quality: DEFAULT_QUALITY, step: 1, codec: null, simulcast: true };

export function useSettings(codec: string | null): [Settings, (patch: Partial<Settings>) => void] {
  const [settings, setSettings] = useState<Settings>(() => ({
    ...DEFAULTS,
    ...read<Partial<Settings>>(localStorage, KEY),
    ...(codec ? { codec: codec.toUpperCase() } : {}),
  }));
  return [
    settings,
    (patch) => {
      const next = { ...settings, ...patch };
      setSettings(next);
      write(localStorage, KEY, next);
    },
  ];
}

/** What the server holds of the channel when it goes on air. */
type Held = Pick<AirOptions, 'resumes' | 'windowMs'>;

/** What the creator set for the stream that is about to begin. */
export interface Limits {
  layers: number | null;
  kbps: number | null;
}

export function airOptions(handle: string, settings: Settings, limits: Limits, held: Held): AirOptions {
  const quality: Quality = qualityById(settings.quality);
  const layers = settings.simulcast ? (limits.layers ?? MOST_LAYERS) : 1;
  const most = limits.kbps === null ? Number.POSITIVE_INFINITY : bitrateWithin(limits.kbps * 1000, layers);
  return {
    handle,
    quality,
    bitrate: Math.min(quality.bitrates[settings.step], most),
    mostLayers: limits.layers,
    codec: settings.codec,
    simulcast: settings.simulcast,
    ...held,
  };
}

interface OnAirNote extends Switches {
  handle: string;
}

/** This tab's note to itself, so that a reload goes back on air with what was switched off still off. */
export const onAirNote = {
  write: (note: OnAirNote) => write(sessionStorage, ON_AIR_KEY, note),
  read: (handle: string): OnAirNote | null => {
    const note = read<Partial<OnAirNote>>(sessionStorage, ON_AIR_KEY);
    if (note?.handle !== handle) return null;
    return { handle, cameraOn: note.cameraOn ?? true, microphoneOn: note.microphoneOn ?? true };
  },
  clear: () => {
    try {
      sessionStorage.removeItem(ON_AIR_KEY);
    } catch {
      // Nothing was kept.
    }
  },
};

function read<T>(storage: Storage, key: string): T | null {
  try {
    return JSON.parse(storage.getItem(key) ?? 'null');
  } catch {
    return null;
  }
}

function write(storage: Storage, key: string, value: unknown): void {
  try {
    storage.setItem(key, JSON.stringify(value));
  } catch {
    // The choice then lasts for this page.
  }
}
