/** The states a viewer can meet, and which of them a refusal of the server means. */
import { SignallingError } from '../session/signalling';
import { type BarredWhy, barredWhy } from './pass';

export type Phase =
  /** `since` is on the Date.now() clock. */
  | { name: 'connecting'; since: number }
  | { name: 'live' }
  /** `retryAt` (Date.now() clock) is null while an attempt runs. */
  | { name: 'reconnecting'; reason: string; retryAt: number | null }
  | { name: 'host_reconnecting' }
  | { name: 'offline' }
  | { name: 'ended' }
  | { name: 'not_found' }
  /** Something stands before the stream; `midway`: it was watched until then. */
  | { name: 'barred'; why: BarredWhy; midway: boolean }
  | { name: 'server_full'; retryAt: number | null }
  | { name: 'unsupported'; reason: string }
  | { name: 'failed'; reason: string };

const RETRY_DELAYS_MS = [1000, 2000, 4000, 8000, 10_000];

/** How long to wait before the n-th attempt in a row (0 is the first). */
export function retryDelay(attempt: number): number {
  return RETRY_DELAYS_MS[Math.min(attempt, RETRY_DELAYS_MS.length - 1)] ?? 10_000;
}

/** What a failed attempt to watch means for the person. */
export function phaseAfter(error: unknown, now: number, attempt: number, wasLive: boolean): Phase {
  if (!(error instanceof SignallingError)) {
    return { name: 'failed', reason: error instanceof Error ? error.message : 'The player could not start.' };
  }
  const retryAt = now + Math.max(error.retryAfterMs ?? 0, retryDelay(attempt));
  switch (error.status) {
    case 404:
      return { name: 'not_found' };
    case 409:
      // A server that has just started knows the stream, and waits for its publisher as well.
      if (error.code === 'publisher_away')
        return { name: 'reconnecting', reason: error.message, retryAt: now + (error.retryAfterMs ?? 2000) };
      return { name: wasLive ? 'ended' : 'offline' };
    case 406:
    case 422:
      return /codec|b_frames/.test(error.code ?? 'codec')
        ? { name: 'unsupported', reason: error.message }
        : { name: 'failed', reason: error.message };
    case 503:
      return error.code === 'shutting_down'
        ? { name: 'reconnecting', reason: error.message, retryAt }
        : { name: 'server_full', retryAt };
    case 0:
    case 429:
      return { name: 'reconnecting', reason: error.message, retryAt };
    default:
      return error.status >= 500
        ? { name: 'reconnecting', reason: error.message, retryAt }
        : { name: 'failed', reason: error.message };
  }
}

/** Whether pictures come in an order that only HLS has. */
export function isOrder(error: unknown): boolean {
  return error instanceof SignallingError && error.code === 'b_frames';
}

/** What a refusal lacks, where it is for whoever asks and not for how. */
export function barredBy(error: unknown): BarredWhy | null {
  return error instanceof SignallingError && (error.status === 401 || error.status === 403)
    ? barredWhy(error.code)
    : null;
}
