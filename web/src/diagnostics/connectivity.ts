/**
 * Whether media get from this browser to the server and by which ways: tried one after another, for each
 * by itself. The store tells how far it is; a page shows it.
 */
import { Store } from '../store';
import { probe, type Told, type Way } from './probe';
import type { Relay } from './relay';
import { type Finding, judge, NO_RELAY, refused, TCP_OFF } from './words';

export interface Check {
  /** "Media over UDP"; with the address where there are several such relays. */
  name: string;
  state: 'waiting' | 'running' | 'done';
  /** `null` until it is done. */
  finding: Finding | null;
}

export interface ConnectivityState {
  phase: 'idle' | 'running' | 'done' | 'stopped' | 'failed';
  checks: readonly Check[];
  /** What the server told; `null` until it did. */
  told: Told | null;
  /** Why nothing could be checked. */
  error: string | null;
  /** When it ended, in milliseconds of Unix time. */
  doneAt: number | null;
}

export class Connectivity {
  readonly store = new Store<ConnectivityState>(NOTHING);
  readonly #url: string;
  readonly #try: typeof probe;
  #run: AbortController | null = null;

  constructor(url: string, tryWay: typeof probe = probe) {
    this.#url = url;
    this.#try = tryWay;
  }

  /** Begins anew. Resolves when all is told. */
  async check(): Promise<void> {
    this.stop();
    const run = new AbortController();
    this.#run = run;
    this.store.set({ ...NOTHING, phase: 'running', checks: [MEDIA_UDP, MEDIA_TCP, RELAY].map(waiting) });
    let sound: Sound | null = null;
    try {
      if (typeof RTCPeerConnection === 'undefined') throw new Error(NO_WEBRTC);
      sound = silence();
      await this.#all(sound.track, run.signal);
      if (!run.signal.aborted) this.store.set({ phase: 'done', doneAt: Date.now() });
    } catch (error) {
      if (run.signal.aborted) return;
      const words = error instanceof Error ? error.message : String(error);
      this.store.set({ phase: 'failed', checks: [], error: words });
    } finally {
      sound?.stop();
    }
  }

  /** Closes what is open; what is known by then stays. */
  stop(): void {
    if (this.store.get().phase === 'running') {
      const checks = this.store.get().checks.filter(({ state }) => state === 'done');
      this.store.set({ phase: 'stopped', checks });
    }
    this.#run?.abort();
    this.#run = null;
  }

  async #all(sound: MediaStreamTrack, signal: AbortSignal): Promise<void> {
    const begin = async (at: number, way: Way) => {
      this.#edit(at, { state: 'running' });
      const seen = await this.#try(this.#url, way, sound, signal);
      if (!signal.aborted) this.#edit(at, done(judge(way, seen)));
      return seen.told;
    };
    // What refuses the first refuses all, and without an answer it is not known what to try.
    const told = await begin(0, { protocol: 'udp', relay: null });
    if (!told) throw new Error('The server did not answer within 10 seconds. Check again.');
    const relays = told.relays.map((relay) => waiting(relayName(relay, told.relays)));
    const none: Check = { ...waiting(RELAY), ...done(NO_RELAY) };
    this.store.set({
      told,
      checks: [...this.store.get().checks.slice(0, 2), ...(relays.length > 0 ? relays : [none])],
    });
    const next = async (at: number, way: Way) => {
      try {
        await begin(at, way);
      } catch (error) {
        if (signal.aborted) throw error;
        this.#edit(at, done(refused(error instanceof Error ? error.message : String(error))));
      }
    };
    if (told.candidates.some(({ protocol }) => protocol === 'tcp')) {
      await next(1, { protocol: 'tcp', relay: null });
    } else this.#edit(1, done(TCP_OFF));
    // A relay speaks UDP with the server, whatever clients speak with it.
    for (const [at, relay] of told.relays.entries()) await next(2 + at, { protocol: 'udp', relay });
  }

  #edit(at: number, patch: Partial<Check>): void {
    const checks = this.store
      .get()
      .checks.map((check, index) => (index === at ? { ...check, ...patch } : check));
    this.store.set({ checks });
  }
}

/** "Relay over UDP"; with its address where others go over the same. */
export function relayName(relay: Relay, all: readonly Relay[]): string {
  const alike = all.filter(({ by }) => by === relay.by).length;
  return alike > 1 ? `${RELAY} over ${relay.by}, ${relay.place}` : `${RELAY} over ${relay.by}`;
}

interface Sound {
  track: MediaStreamTrack;
  stop: () => void;
}

/** A sound that nobody hears, and that no microphone is asked for. */
function silence(): Sound {
  const context = new AudioContext();
  const [track] = context.createMediaStreamDestination().stream.getAudioTracks();
  if (!track) throw new Error('This browser cannot make a sound.');
  return {
    track,
    stop: () => {
      track.stop();
      void context.close();
    },
  };
}

function waiting(name: string): Check {
  return { name, state: 'waiting', finding: null };
}

function done(finding: Finding): Pick<Check, 'state' | 'finding'> {
  return { state: 'done', finding };
}

const NO_WEBRTC = 'This browser has no WebRTC, or an extension turned it off.';
const MEDIA_UDP = 'Media over UDP';
const MEDIA_TCP = 'Media over TCP';
const RELAY = 'Relay';

const NOTHING: ConnectivityState = { phase: 'idle', checks: [], told: null, error: null, doneAt: null };
