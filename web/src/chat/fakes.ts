/** Server, WebSocket and data channels as far as a chat touches them, for tests whose clock is their own. */
import { vi } from 'vitest';
import type { ClientFrame, Message } from './protocol';

export class FakeSocket {
  static OPEN = 1;
  static made: FakeSocket[] = [];
  readyState = 0;
  readonly sent: ClientFrame[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  onerror: (() => void) | null = null;

  constructor(readonly url: string) {
    FakeSocket.made.push(this);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  say(...frames: unknown[]): void {
    this.onmessage?.({ data: JSON.stringify(frames.length === 1 ? frames[0] : frames) });
  }

  close(): void {
    this.readyState = 3;
  }

  /** As the network or the server does it. */
  drop(): void {
    this.readyState = 3;
    this.onclose?.();
  }
}

export class FakeChannel {
  readyState = 'connecting';
  readonly sent: ClientFrame[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  onerror: (() => void) | null = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  open(): void {
    this.readyState = 'open';
    this.onopen?.();
  }

  say(...frames: unknown[]): void {
    this.onmessage?.({ data: JSON.stringify(frames) });
  }

  close(): void {
    this.readyState = 'closed';
  }

  drop(): void {
    this.readyState = 'closed';
    this.onclose?.();
  }
}

export const fakePair = () => {
  const pair = { chat: new FakeChannel(), reactions: new FakeChannel() };
  return { ...pair, offered: pair as unknown as { chat: RTCDataChannel; reactions: RTCDataChannel } };
};

export function stubWorld(): void {
  vi.useFakeTimers();
  vi.setSystemTime(NOW);
  FakeSocket.made = [];
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('addEventListener', () => undefined);
  vi.stubGlobal('removeEventListener', () => undefined);
  const kept = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  });
}

export const NOW = Date.parse('2026-11-26T20:10:00Z');
export const STREAM = { id: 's1', started_at: '2026-11-26T20:00:00Z' };

export function message(id: number, patch: Partial<Message> = {}): Message {
  return {
    id,
    at: '2026-11-26T20:10:00Z',
    kind: 'text',
    stream: STREAM.id,
    stream_time_ms: null,
    from: { id: 'a-vic', name: 'vic', avatar: null, badges: [] },
    text: `message ${id}`,
    reply_to: null,
    support: null,
    ...patch,
  };
}

export function hello(patch: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    type: 'hello',
    v: 1,
    now: new Date(NOW).toISOString(),
    channel: 'ada',
    stream: STREAM,
    you: { id: 'a-me', name: 'me', role: 'viewer', may_write: true, may_moderate: false, restraint: null },
    room: { modes: {}, pinned: null, poll: null, questions: [], emotes: [], raid: null },
    reactions: ['❤', '🔥'],
    messages: [],
    resumed: false,
    ...patch,
  };
}
