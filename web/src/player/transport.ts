/** What carries a stream to a viewer, what the viewer chose, and why one takes another's place. */

export type Transport = 'webrtc' | 'll_hls' | 'hls';

/** `auto` is the fastest that works. */
export type Choice = 'auto' | 'instant' | 'low' | 'stable';

/** Counted by the server under these names. */
export type ChangeReason =
  | 'ice_failed'
  | 'blocked'
  | 'loss'
  | 'codec'
  | 'b_frames'
  | 'server_full'
  | 'stalled'
  | 'chosen'
  | 'recovered'
  | 'rewound'
  | 'unsupported';

export interface Change {
  /** On the Date.now() clock. */
  at: number;
  from: Transport;
  to: Transport;
  reason: ChangeReason;
  /** For people, a whole sentence. */
  words: string;
}

const NAMES: Record<Transport, string> = { webrtc: 'Instant', ll_hls: 'Low latency', hls: 'Stable' };

export function transportName(transport: Transport): string {
  return NAMES[transport];
}

const WISHES: Record<Choice, Transport> = { auto: 'webrtc', instant: 'webrtc', low: 'll_hls', stable: 'hls' };

/** What a viewer wants, who by `auto` leaves it to the creator. */
export function wishedTransport(choice: Choice, preferred: Exclude<Choice, 'auto'> = 'instant'): Transport {
  return WISHES[choice === 'auto' ? preferred : choice];
}

/** Whether the first is the faster one. */
export function isFaster(a: Transport, b: Transport): boolean {
  const order: Transport[] = ['webrtc', 'll_hls', 'hls'];
  return order.indexOf(a) < order.indexOf(b);
}

const WORDS: Record<ChangeReason, string> = {
  ice_failed: 'The direct connection broke.',
  blocked: 'No direct connection came up. Your network may block it.',
  loss: 'Too much of the picture was lost on the way.',
  codec: 'This browser cannot play what the host sends directly.',
  b_frames: "The host's encoder sends B-frames, which only play with a small delay.",
  server_full: 'Every instant place on the server is taken.',
  stalled: 'The picture kept stopping.',
  chosen: 'You chose it.',
  recovered: 'The faster way works again.',
  rewound: 'You went back in the stream.',
  unsupported: 'This browser has no direct connection (WebRTC).',
};

export function reasonWords(reason: ChangeReason): string {
  return WORDS[reason];
}

/** "0.2 s", "6 s"; from ten seconds on and at rest, tenths say nothing. */
export function latencyWords(ms: number): string {
  if (ms < 95) return '<0.1 s';
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

const CHOICE_KEY = 'tallylight.latency';
const CHOICES: Choice[] = ['auto', 'instant', 'low', 'stable'];

export function rememberedChoice(): Choice {
  try {
    const kept = localStorage.getItem(CHOICE_KEY);
    return CHOICES.find((choice) => choice === kept) ?? 'auto';
  } catch {
    return 'auto';
  }
}

export function rememberChoice(choice: Choice): void {
  try {
    localStorage.setItem(CHOICE_KEY, choice);
  } catch {
    // Private windows may refuse storage; the choice then lasts for this page.
  }
}

/** Lets the server count it; a viewer misses nothing when that fails. */
export function reportChange(handle: string, { from, to, reason }: Change): void {
  void fetch(`/api/channels/${encodeURIComponent(handle)}/playback-changes`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ from, to, reason }),
    keepalive: true,
  }).catch(() => undefined);
}
