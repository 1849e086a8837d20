/** Alerts over a picture: read from the server's stream, shown one after the other. */

export interface Alert {
  /** Each is shown once. */
  id: string;
  kind: 'member' | 'gift' | 'tip' | 'test';
  name: string;
  tier?: number | null;
  quantity?: number | null;
  /** In the currency's smallest unit. */
  amount?: number | null;
  currency?: string | null;
  message: string;
}

const KINDS: readonly string[] = ['member', 'gift', 'tip', 'test'];

/** An alert from its JSON; `null` for anything else. */
export function readAlert(text: string): Alert | null {
  try {
    const value = JSON.parse(text) as Partial<Alert> | null;
    if (typeof value?.id !== 'string' || !KINDS.includes(value.kind ?? '')) return null;
    const { id, kind, name, message } = value;
    return { ...value, id, kind: kind as Alert['kind'], name: name ?? '', message: message ?? '' };
  } catch {
    return null;
  }
}

/** How long each is seen. */
export const SHOWN_MS = 6000;
/** Between two, so that they are seen to be two. */
const PAUSE_MS = 400;
/** Ids that are remembered, lest one that comes twice is shown twice. */
const REMEMBERED = 500;

/** Shows alerts one at a time, in the order in which they came. */
export class AlertQueue {
  readonly #show: (alert: Alert | null) => void;
  readonly #seen = new Set<string>();
  readonly #waiting: Alert[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** `show` gets what is to be seen now, and `null` when nothing is. */
  constructor(show: (alert: Alert | null) => void) {
    this.#show = show;
  }

  add(alert: Alert): void {
    if (this.#seen.has(alert.id)) return;
    this.#seen.add(alert.id);
    const [oldest] = this.#seen;
    if (this.#seen.size > REMEMBERED && oldest !== undefined) this.#seen.delete(oldest);
    this.#waiting.push(alert);
    if (this.#timer === null) this.#next();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#waiting.length = 0;
  }

  #next(): void {
    const alert = this.#waiting.shift();
    this.#timer = null;
    if (!alert) return;
    this.#show(alert);
    this.#timer = setTimeout(() => {
      this.#show(null);
      this.#timer = setTimeout(() => this.#next(), PAUSE_MS);
    }, SHOWN_MS);
  }
}

/** Takes a `text/event-stream` apart as it comes; lines of comment only say that the server is there. */
export class EventReader {
  readonly #tell: (event: string, data: string) => void;
  #rest = '';
  #event = '';
  #data: string[] = [];

  constructor(tell: (event: string, data: string) => void) {
    this.#tell = tell;
  }

  read(text: string): void {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    if (line === '') {
      if (this.#data.length > 0) this.#tell(this.#event || 'message', this.#data.join('\n'));
      this.#event = '';
      this.#data = [];
      return;
    }
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (field === 'event') this.#event = value;
    if (field === 'data') this.#data.push(value);
  }
}
