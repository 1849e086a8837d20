/**
 * The light skin: one DOM, made once and changed with what is seen. It decides nothing, and no text of
 * anybody's becomes HTML.
 */
import { layerName } from '../player/layers';
import { type Icon, icon } from './icons';
import type { Source, View } from './view';
import { type Words, wordsFor } from './words';

export class Skin {
  readonly #root: HTMLElement;
  readonly #source: Source;
  readonly #picture = make('div', 'screen');
  readonly #poster = make('img', 'poster');
  readonly #say = make('div', 'say');
  readonly #top = make('div', 'top');
  readonly #name = make('span', 'name');
  readonly #big = button('big', 'Play', 'play', 34);
  readonly #sound = make('button', 'sound');
  readonly #bar = make('div', 'bar');
  readonly #seek = make('input', 'seek');
  readonly #play = button('act', 'Play', 'play');
  readonly #mute = button('act', 'Sound on', 'muted');
  readonly #volume = make('input', 'volume');
  readonly #live = make('button', 'live');
  readonly #pill = make('span', 'pill on');
  readonly #time = make('span', 'num');
  readonly #viewers = make('span', 'num wide');
  readonly #quality = make('select', '');
  readonly #full = button('act', 'Full screen', 'full', 20);
  readonly #detach: (() => void)[] = [];
  #attached: unknown = null;
  #said = '';
  #offered = '';
  #seeking = false;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(root: ShadowRoot, source: Source, controls: boolean) {
    this.#source = source;
    this.#root = make('div', '');
    this.#poster.alt = '';
    // No cookie goes along, as none does with all else.
    this.#poster.crossOrigin = 'anonymous';
    this.#poster.src = source.poster;
    this.#poster.addEventListener('error', () => this.#poster.remove());
    this.#say.setAttribute('role', 'status');
    this.#sound.append(icon('muted', 18), 'Tap for sound');
    this.#sound.type = 'button';
    this.#root.append(this.#picture, this.#poster, this.#say, this.#big, this.#sound);
    if (controls) this.#root.append(this.#head(), this.#foot());
    root.append(this.#root);
    this.#listen();
  }

  close(): void {
    clearTimeout(this.#idle);
    for (const undo of this.#detach) undo();
    this.#root.remove();
  }

  show(view: View): void {
    this.#attach();
    const playing = view.state === 'playing';
    this.#picture.classList.toggle('dimmed', !playing && (view.state !== 'ended' || view.lock !== null));
    const begins = view.state === 'idle' || view.state === 'connecting';
    this.#poster.hidden = !begins;
    this.#poster.classList.toggle('dimmed', view.state === 'connecting');
    this.#words(wordsFor(view, this.#source.isLive, Date.now()));
    this.#big.hidden = !(view.state === 'idle' || (playing && view.needsTap) || isOver(view, this.#source));
    this.#sound.hidden = !(playing && view.muted && !view.needsTap && !view.paused);
    this.#name.textContent = view.about ? `${view.about} · ${view.title}` : view.title;
    this.#bar.hidden = !(playing || view.state === 'host_reconnecting' || isOver(view, this.#source));
    set(this.#play, view.paused ? 'Play' : 'Pause', view.paused ? 'play' : 'pause');
    set(this.#mute, view.muted ? 'Sound on' : 'Mute', view.muted ? 'muted' : 'sound');
    fill(this.#volume, view.muted ? 0 : view.volume, 1);
    this.#times(view);
    this.#qualities(view);
  }

  #head(): HTMLElement {
    const link = make('a', '');
    link.href = this.#source.page;
    link.target = '_blank';
    link.rel = 'noopener';
    link.append(this.#name, icon('out', 16));
    link.title = 'Open its page';
    this.#top.append(link);
    return this.#top;
  }

  #foot(): HTMLElement {
    range(this.#seek, 'Position', 'any');
    range(this.#volume, 'Volume', '0.01');
    this.#volume.max = '1';
    this.#live.type = 'button';
    this.#live.append(this.#pill);
    this.#quality.setAttribute('aria-label', 'Quality');
    const row = make('div', 'row');
    row.append(this.#play, this.#mute, this.#volume, this.#live, this.#time, this.#viewers);
    row.append(make('span', 'space'), this.#quality, this.#full);
    this.#bar.dataset.controls = '';
    this.#bar.append(this.#seek, row);
    return this.#bar;
  }

  #attach(): void {
    const { screen } = this.#source;
    if (!screen || this.#attached === screen) return;
    this.#attached = screen;
    this.#detach.push(screen.attach(this.#picture));
  }

  #listen(): void {
    const source = this.#source;
    const toggle = () => (source.view().paused ? source.play() : source.pause());
    on(this.#big, 'click', () => source.play());
    on(this.#sound, 'click', () => source.setMuted(false));
    on(this.#play, 'click', toggle);
    on(this.#picture, 'click', () => {
      if (!matchMedia('(pointer: coarse)').matches && source.view().state === 'playing') toggle();
    });
    on(this.#mute, 'click', () => source.setMuted(!source.view().muted));
    on(this.#volume, 'input', () => source.screen?.setVolume(this.#volume.valueAsNumber));
    on(this.#live, 'click', () => source.seek(0));
    on(this.#seek, 'input', () => {
      this.#seeking = true;
    });
    on(this.#seek, 'change', () => {
      this.#seeking = false;
      const at = this.#seek.valueAsNumber;
      // The last second of what is live is now.
      source.seek(source.isLive && at > -2 ? 0 : at);
    });
    on(this.#quality, 'change', () => source.setQuality(this.#quality.value || null));
    on(this.#full, 'click', () => this.#toggleFull());
    for (const event of ['pointermove', 'pointerdown', 'keydown', 'focusin']) {
      on(this.#root, event, () => this.#wake());
    }
    this.#wake();
  }

  /** What lies on the picture fades while nobody moves. */
  #wake(): void {
    clearTimeout(this.#idle);
    this.#root.classList.remove('idle');
    this.#idle = setTimeout(() => {
      if (!this.#source.view().paused) this.#root.classList.add('idle');
    }, IDLE_MS);
  }

  #toggleFull(): void {
    if (document.fullscreenElement) void document.exitFullscreen();
    else {
      const { host } = this.#root.getRootNode() as ShadowRoot;
      const video = this.#source.screen?.video as
        | (HTMLVideoElement & { webkitEnterFullscreen?(): void })
        | null;
      if (host.requestFullscreen) void host.requestFullscreen().catch(() => undefined);
      else video?.webkitEnterFullscreen?.();
    }
  }

  #words(words: Words | null): void {
    const said = JSON.stringify(words);
    if (said === this.#said) return;
    this.#said = said;
    this.#say.hidden = words === null;
    this.#say.replaceChildren();
    if (!words) return;
    const title = make('b', '');
    title.textContent = words.title;
    const text = make('p', '');
    text.textContent = words.text;
    this.#say.append(words.icon ? icon(words.icon, 28) : make('span', 'spin'), title, text);
    if (words.action === 'retry') {
      const again = make('button', 'do');
      again.type = 'button';
      again.textContent = 'Try now';
      on(again, 'click', () => this.#source.retry());
      this.#say.append(again);
    } else if (words.action) {
      const { page } = this.#source;
      const link = make('a', 'do');
      link.href = page;
      link.target = '_blank';
      link.rel = 'noopener';
      link.append(
        words.action === 'watch' ? `Watch on ${new URL(page).host}` : 'Open its page',
        icon('out', 16),
      );
      this.#say.append(link);
    }
  }

  #times(view: View): void {
    const { isLive } = this.#source;
    const behind = view.position < -1 || (isLive && view.paused);
    this.#live.hidden = !isLive;
    this.#pill.className = behind ? 'pill' : 'pill on';
    this.#pill.textContent = behind ? 'Go live' : 'Live';
    this.#time.hidden = isLive;
    this.#time.textContent = `${clock(view.position)} / ${clock(view.duration)}`;
    this.#viewers.hidden = view.viewers === null || !isLive;
    if (view.viewers !== null && this.#viewers.dataset.count !== String(view.viewers)) {
      this.#viewers.dataset.count = String(view.viewers);
      this.#viewers.replaceChildren(icon('eye', 16), String(view.viewers));
      this.#viewers.title = 'Watching now';
    }
    const length = isLive ? view.window : view.duration;
    this.#seek.hidden = length < 10;
    if (this.#seeking) return;
    this.#seek.min = String(isLive ? -length : 0);
    this.#seek.max = String(isLive ? 0 : length);
    fill(this.#seek, view.position, length, isLive ? -length : 0);
    const words = isLive ? (behind ? `${clock(-view.position)} behind now` : 'Now') : clock(view.position);
    this.#seek.setAttribute('aria-valuetext', words);
  }

  #qualities({ qualities, pinned, lines }: View): void {
    const auto = lines === null || pinned !== null ? 'Auto' : `Auto · ${lines}p`;
    const entries = qualities.map(({ id, layer }) => [id, layer ? layerName(layer) : 'Audio only'] as const);
    const offered = JSON.stringify([auto, entries, pinned]);
    this.#quality.hidden = entries.length === 0;
    // A list that is open would close.
    if (offered === this.#offered || this.#quality.matches(':focus')) return;
    this.#offered = offered;
    this.#quality.replaceChildren(new Option(auto, ''), ...entries.map(([id, name]) => new Option(name, id)));
    this.#quality.value = pinned ?? '';
  }
}

/** A recording that was seen to its end. */
function isOver(view: View, source: Source): boolean {
  return view.state === 'ended' && !source.isLive && view.lock === null;
}

function make<K extends keyof HTMLElementTagNameMap>(name: K, className: string): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  if (className) element.className = className;
  return element;
}

function button(className: string, label: string, sign: Icon, size?: number): HTMLButtonElement {
  const element = make('button', className);
  element.type = 'button';
  element.setAttribute('aria-label', label);
  element.title = label;
  element.dataset.icon = sign;
  element.append(icon(sign, size));
  return element;
}

function set(element: HTMLButtonElement, label: string, sign: Icon): void {
  if (element.getAttribute('aria-label') !== label) {
    element.setAttribute('aria-label', label);
    element.title = label;
  }
  if (element.dataset.icon === sign) return;
  element.dataset.icon = sign;
  element.replaceChildren(icon(sign));
}

function range(element: HTMLInputElement, label: string, step: string): void {
  element.type = 'range';
  element.min = '0';
  element.step = step;
  element.setAttribute('aria-label', label);
}

function fill(element: HTMLInputElement, value: number, length: number, from = 0): void {
  element.value = String(value);
  element.style.setProperty('--fill', `${length > 0 ? ((value - from) / length) * 100 : 0}%`);
}

function on(element: HTMLElement, event: string, act: () => void): void {
  element.addEventListener(event, act);
}

/** "0:07", "1:02:03". */
function clock(seconds: number): string {
  const total = Math.max(0, Math.floor(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  const [hours, minutes] = [Math.floor(total / 3600), Math.floor(total / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(total % 60)}` : `${minutes}:${two(total % 60)}`;
}

const IDLE_MS = 2500;
