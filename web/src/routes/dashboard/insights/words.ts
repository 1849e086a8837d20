/** How a stream's figures are written. */
import type { StreamInsights } from '../../../api/insights';
import { clock } from '../../../ui/time';

const WHEN = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });

/** "Nov 26, 2026, 5:04 PM" */
export function whenWords({ started_at }: StreamInsights): string {
  return WHEN.format(new Date(started_at));
}

/** Its title, else when it began. */
export function streamName(stream: StreamInsights): string {
  return stream.title || whenWords(stream);
}

/** "1:02:03", or "on air". */
export function lengthWords({ started_at, ended_at }: StreamInsights): string {
  return ended_at ? clock(Date.parse(ended_at) - Date.parse(started_at)) : 'on air';
}

/** "45 s", "12 min", "3.4 h" */
export function watchWords(seconds: number): string {
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  const hours = seconds / 3600;
  return `${hours < 10 ? hours.toFixed(1) : Math.round(hours)} h`;
}

/** The shares of the ways of watching, in whole percents, the largest first; those that nobody took are left out. */
export function transportShares(by: StreamInsights['watch_seconds_by_transport']): [string, number][] {
  const all = by.webrtc + by.ll_hls + by.hls;
  const shares: [string, number][] = [
    ['Instant', by.webrtc],
    ['Low latency', by.ll_hls],
    ['Stable', by.hls],
  ];
  return shares
    .filter(([, seconds]) => seconds > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([name, seconds]) => [name, Math.round((100 * seconds) / all)]);
}

/** What a score of 0 to 100 means. */
export function scoreWords(score: number): string {
  if (score >= 90) return 'good';
  return score >= 60 ? 'fair' : 'poor';
}
