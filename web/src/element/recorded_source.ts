/** A recording, from its first to its last second. */
import { lockOfRecording } from '../gates/lock';
import { type EntryFacts, entryOf } from '../player/channel';
import { RecordingPlayer, type RecordingState } from '../player/recording';
import type { Screen } from '../player/screen';
import { NOTHING, type Source, type StateName, type View } from './view';

interface Facts {
  title: string;
  url: string;
}

export class RecordedSource implements Source {
  readonly isLive = false;
  readonly page: string;
  readonly poster: string;
  readonly #id: string;
  readonly #server: string;
  readonly #startS: number | null;
  #muted: boolean;
  readonly #listeners = new Set<() => void>();
  #player: RecordingPlayer | null = null;
  #facts: Facts | null = null;
  /** What stands before it, once that is known. */
  #entry: EntryFacts | null = null;
  #trouble: { state: StateName; reason: string } | null = null;
  #started = false;
  #stopped = false;

  constructor(id: string, server: string, muted: boolean, startS: number | null) {
    this.#id = id;
    this.#server = server;
    this.#muted = muted;
    this.#startS = startS;
    const origin = server || location.origin;
    this.page = `${origin}/videos/${encodeURIComponent(id)}`;
    this.poster = `${origin}/vod/${encodeURIComponent(id)}/thumbnail.jpg`;
    void this.#look();
  }

  get screen(): Screen | null {
    return this.#player?.screen ?? null;
  }

  view(): View {
    const state = this.#player?.store.get();
    const title = this.#facts?.title ?? '';
    if (!state || this.#trouble) {
      const waiting = this.#started ? 'connecting' : 'idle';
      return { ...NOTHING, state: waiting, ...this.#trouble, title, muted: this.#muted };
    }
    return {
      ...NOTHING,
      state: this.#started ? stateOf(state) : 'idle',
      reason: state.phase.name === 'failed' ? state.phase.reason : '',
      lock: this.#lock(state.phase),
      title,
      paused: !this.#started || state.paused,
      muted: state.muted,
      volume: state.volume,
      needsTap: state.needsTap,
      qualities: state.qualities,
      pinned: state.pinned,
      lines: state.stats?.height ?? null,
      position: state.positionMs / 1000,
      duration: state.durationMs / 1000,
    };
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#player?.start();
    this.#tell();
  }

  stop(): void {
    this.#stopped = true;
    this.#player?.stop();
    this.#listeners.clear();
  }

  play(): void {
    if (!this.#started) this.start();
    else if (this.#player?.store.get().phase.name === 'ended') this.#player.seekTo(0);
    else void this.#player?.screen.play();
  }

  pause(): void {
    this.#player?.screen.pause();
  }

  seek(seconds: number): void {
    this.#player?.seekTo(seconds * 1000);
  }

  setMuted(muted: boolean): void {
    this.#muted = muted;
    this.screen?.setMuted(muted);
    if (!this.#player) this.#tell();
  }

  setQuality(id: string | null): void {
    this.#player?.chooseQuality(id);
  }

  retry(): void {
    if (this.#trouble) void this.#look();
    else this.#player?.retry();
  }

  async #look(): Promise<void> {
    const url = `${this.#server}/api/recordings/${encodeURIComponent(this.#id)}`;
    const response = await fetch(url, { cache: 'no-store' }).catch(() => null);
    const body = response?.ok ? await response.json().catch(() => null) : null;
    if (this.#stopped) return;
    this.#trouble = troubleOf(response, body);
    if (!this.#trouble) {
      this.#open(body);
      void this.#askEntry();
    }
    this.#tell();
  }

  #open(body: { title?: unknown; playlist_url: string }): void {
    const url = this.#server ? new URL(body.playlist_url, this.#server).href : body.playlist_url;
    this.#facts = { title: typeof body.title === 'string' ? body.title : '', url };
    const player = new RecordingPlayer({ id: this.#id, url, startS: this.#startS, server: this.#server });
    player.store.set({ muted: this.#muted });
    player.store.subscribe(() => this.#tell());
    this.#player = player;
    if (this.#started) player.start();
  }

  #lock(phase: RecordingState['phase']): View['lock'] {
    // What has not begun is asked for at the first tap; only what is shut for good says so before.
    const lock = lockOfRecording(this.#entry, phase);
    return lock ?? (phase.name === 'barred' ? 'unknown' : null);
  }

  async #askEntry(): Promise<void> {
    const url = `${this.#server}/api/recordings/${encodeURIComponent(this.#id)}/entry`;
    const response = await fetch(url, { cache: 'no-store' }).catch(() => null);
    const body = response?.ok ? await response.json().catch(() => null) : null;
    if (this.#stopped) return;
    this.#entry = entryOf(body);
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function troubleOf(response: Response | null, body: unknown): { state: StateName; reason: string } | null {
  if (response === null) return { state: 'failed', reason: 'The server cannot be reached.' };
  if (response.status === 404) return { state: 'not_found', reason: '' };
  const { playlist_url: url, state } = (body ?? {}) as { playlist_url?: unknown; state?: unknown };
  if (typeof url === 'string') return null;
  return state === 'recording'
    ? { state: 'offline', reason: 'This stream is still on air. It can be played here once it has ended.' }
    : { state: 'failed', reason: 'This recording cannot be played.' };
}

function stateOf({ phase, waiting }: RecordingState): StateName {
  if (phase.name === 'loading') return 'connecting';
  if (phase.name === 'ready') return waiting ? 'connecting' : 'playing';
  if (phase.name === 'barred') return 'failed';
  return phase.name;
}
