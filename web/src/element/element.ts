/**
 * `<tallylight-player>`: a player for any page, with its own DOM and style. Needs nothing of the page's,
 * and sends no cookie of its visitor.
 */
import { LiveSource } from './live_source';
import { accentOf, type Options, originOf, startOf } from './options';
import { RecordedSource } from './recorded_source';
import { Skin } from './skin';
import { dress } from './style';
import { NOTHING, type Source, type View } from './view';

/** Events of the element; each carries what changed as its `detail`. */
export type PlayerEvent = 'ready' | 'playing' | 'paused' | 'ended' | 'state' | 'viewers' | 'quality';

export class TallylightPlayer extends HTMLElement {
  static readonly observedAttributes = ['channel', 'video', 'server', 'controls', 'accent', 'muted'];

  readonly #root: ShadowRoot;
  #source: Source | null = null;
  #skin: Skin | null = null;
  #last: View = NOTHING;
  #isReady = false;
  #clock: ReturnType<typeof setInterval> | undefined;

  constructor() {
    super();
    this.#root = this.attachShadow({ mode: 'open' });
    dress(this.#root);
  }

  connectedCallback(): void {
    this.#open();
  }

  disconnectedCallback(): void {
    this.#close();
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after || !this.isConnected) return;
    if (name === 'muted') this.muted = after !== null;
    else if (name === 'accent') this.#tint();
    else this.#open();
  }

  play(): void {
    this.#source?.play();
  }

  pause(): void {
    this.#source?.pause();
  }

  /** Seconds into a recording; of a live stream seconds behind now as a negative number, 0 for now. */
  seek(seconds: number): void {
    if (Number.isFinite(seconds)) this.#source?.seek(seconds);
  }

  /** What the viewer sees: `idle`, `connecting`, `playing`, `offline`, … */
  get state(): string {
    return this.#last.state;
  }

  get paused(): boolean {
    return this.#last.paused;
  }

  get muted(): boolean {
    return this.#last.muted;
  }

  set muted(muted: boolean) {
    this.#source?.setMuted(Boolean(muted));
  }

  get volume(): number {
    return this.#last.volume;
  }

  set volume(volume: number) {
    if (Number.isFinite(volume)) this.#source?.screen?.setVolume(volume);
  }

  get currentTime(): number {
    return this.#last.position;
  }

  set currentTime(seconds: number) {
    this.seek(seconds);
  }

  /** Seconds of a recording; infinite of what is live. */
  get duration(): number {
    return this.#source?.isLive ? Number.POSITIVE_INFINITY : this.#last.duration;
  }

  get viewers(): number | null {
    return this.#last.viewers;
  }

  /** The qualities that there are; give the `id` of one to `quality`. */
  get qualities(): { id: string; width: number | null; height: number | null; bitrate: number | null }[] {
    return this.#last.qualities.map(({ id, layer }) => ({
      id,
      width: layer?.width ?? null,
      height: layer?.height ?? null,
      bitrate: layer?.bitrate ?? null,
    }));
  }

  /** The id of what is held to; `null` is the player's own choice. */
  get quality(): string | null {
    return this.#last.pinned;
  }

  set quality(id: string | null) {
    this.#source?.setQuality(id === null || id === '' || id === 'auto' ? null : String(id));
  }

  #options(): Options {
    return {
      channel: this.getAttribute('channel')?.replace(/^@/, '') || null,
      video: this.getAttribute('video') || null,
      server: originOf(this.getAttribute('server') ?? HOME, location.origin),
      autoplay: this.hasAttribute('autoplay'),
      muted: this.hasAttribute('muted'),
      controls: this.hasAttribute('controls'),
      startS: startOf(this.getAttribute('start')),
      accent: accentOf(this.getAttribute('accent')),
    };
  }

  #open(): void {
    this.#close();
    const options = this.#options();
    this.#tint();
    const source = sourceOf(options);
    if (!source) return;
    this.#source = source;
    this.#skin = new Skin(this.#root, source, options.controls);
    source.subscribe(() => this.#changed());
    // A countdown goes on while nothing else changes.
    this.#clock = setInterval(() => this.#skin?.show(this.#last), 10_000);
    if (options.autoplay) source.start();
    this.#changed();
  }

  #close(): void {
    clearInterval(this.#clock);
    this.#skin?.close();
    this.#source?.stop();
    this.#skin = null;
    this.#source = null;
    this.#last = NOTHING;
    this.#isReady = false;
  }

  #tint(): void {
    const accent = accentOf(this.getAttribute('accent'));
    if (accent) this.style.setProperty('--accent', accent);
    else this.style.removeProperty('--accent');
  }

  #changed(): void {
    if (!this.#source) return;
    const before = this.#last;
    const now = this.#source.view();
    this.#last = now;
    this.#skin?.show(now);
    if (!this.#isReady && now.title !== '') {
      this.#isReady = true;
      this.#tell('ready', { title: now.title, live: this.#source.isLive, duration: this.duration });
    }
    if (now.state !== before.state) this.#tell('state', { state: now.state, reason: now.reason });
    if (moves(now) !== moves(before)) {
      if (moves(now)) this.#tell('playing', { position: now.position });
      else if (now.state === 'playing') this.#tell('paused', { position: now.position });
    }
    if (now.state === 'ended' && before.state !== 'ended') this.#tell('ended', null);
    if (now.viewers !== before.viewers && now.viewers !== null) this.#tell('viewers', { count: now.viewers });
    if (now.pinned !== before.pinned || now.qualities !== before.qualities)
      this.#tell('quality', { quality: now.pinned, qualities: this.qualities });
  }

  #tell(name: PlayerEvent, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function moves(view: View): boolean {
  return view.state === 'playing' && !view.paused;
}

function sourceOf({ channel, video, server, muted, startS }: Options): Source | null {
  if (video !== null) return new RecordedSource(video, server, muted, startS);
  return channel === null ? null : new LiveSource(channel, server, muted);
}

/** The server that the script came from. */
const HOME = new URL(import.meta.url).origin;
