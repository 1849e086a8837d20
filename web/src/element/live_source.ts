/** A channel: what happens now, and what happened a while ago. */
import { lockOfChannel } from '../gates/lock';
import { type ChannelFacts, fetchChannel, isLetIn } from '../player/channel';
import type { Phase } from '../player/phase';
import { Player } from '../player/player';
import type { Screen } from '../player/screen';
import type { PlayerState } from '../player/state';
import { NOTHING, type Source, type StateName, type View } from './view';

export class LiveSource implements Source {
  readonly isLive = true;
  readonly page: string;
  readonly poster: string;
  readonly #player: Player;
  readonly #listeners = new Set<() => void>();
  #started = false;
  #stopped = false;
  /** What was found before it began. */
  #known: ChannelFacts | 'missing' | null = null;

  constructor(handle: string, server: string, muted: boolean) {
    this.#player = new Player(handle, server);
    this.#player.store.set({ muted });
    const origin = server || location.origin;
    const name = encodeURIComponent(handle);
    this.page = `${origin}/@${name}`;
    this.poster = `${origin}/hls/${name}/thumbnail.jpg`;
    this.#player.store.subscribe(() => this.#tell());
    void this.#look();
  }

  get screen(): Screen {
    return this.#player.screen;
  }

  view(): View {
    const state = this.#player.store.get();
    const { timeline, rewound } = state;
    const channel = state.channel ?? (this.#known === 'missing' ? null : this.#known);
    const behind = timeline && rewound ? (timeline.positionMs - timeline.endMs) / 1000 : 0;
    return {
      ...NOTHING,
      state: this.#started ? stateOf(state.phase) : this.#idleState(),
      reason: 'reason' in state.phase ? state.phase.reason : '',
      lock: this.#lock(channel, state.phase),
      title: channel?.name ?? '',
      about: channel?.said?.title ?? '',
      paused: !this.#started || state.paused,
      muted: state.muted,
      volume: state.volume,
      needsTap: state.needsTap,
      qualities: state.qualities,
      pinned: state.pinned,
      lines: linesOf(state.stats),
      position: Math.min(0, behind),
      window: timeline ? (timeline.endMs - timeline.startMs) / 1000 : 0,
      viewers: state.viewers,
      next: channel?.next ?? null,
    };
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#player.start();
    this.#tell();
  }

  stop(): void {
    this.#stopped = true;
    this.#player.stop();
    this.#listeners.clear();
  }

  play(): void {
    if (this.#started) this.#player.rewind.play();
    else this.start();
  }

  pause(): void {
    if (this.#started) this.#player.rewind.pause();
  }

  seek(seconds: number): void {
    const { timeline } = this.#player.store.get();
    if (seconds >= 0 || !timeline) this.#player.rewind.goLive();
    else this.#player.rewind.seekTo(timeline.endMs + seconds * 1000);
  }

  setMuted(muted: boolean): void {
    this.screen.setMuted(muted);
  }

  setQuality(id: string | null): void {
    void this.#player.chooseQuality(id);
  }

  retry(): void {
    this.#player.retryNow();
  }

  /** Before it began, what is on air is shut by what is said of it alone. */
  #lock(channel: ChannelFacts | null, phase: Phase): View['lock'] {
    if (!channel) return null;
    if (!this.#started) return isLetIn(channel) ? null : lockOfChannel(channel, BEFORE);
    return lockOfChannel(channel, phase) ?? (phase.name === 'barred' ? 'unknown' : null);
  }

  #idleState(): StateName {
    if (this.#known === 'missing') return 'not_found';
    if (this.#known && !isLetIn(this.#known)) return 'failed';
    return this.#known?.state === 'offline' ? 'offline' : 'idle';
  }

  /** Before it plays: whether there is such a channel, and whether it is on air. */
  async #look(): Promise<void> {
    const channel = await fetchChannel(this.#player.handle, this.#player.server);
    if (channel === null || this.#stopped) return;
    this.#known = channel;
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** As if it had been tried, and refused. */
const BEFORE: Phase = { name: 'barred', why: 'unknown', midway: false };

function stateOf(phase: Phase): StateName {
  if (phase.name === 'barred') return 'failed';
  return phase.name === 'live' ? 'playing' : phase.name;
}

function linesOf(stats: PlayerState['stats']): number | null {
  return stats?.width && stats.height ? Math.min(stats.width, stats.height) : null;
}
