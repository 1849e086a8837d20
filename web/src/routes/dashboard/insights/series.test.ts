import { expect, test } from 'vitest';
import type { AlertInterval, HealthPoint, HealthReport } from '../../../api/insights';
import { alertWords, healthSeries, plotWords, shades, viewerSeries } from './series';

const T = '2026-11-26T12:00:00Z';
const at = (seconds: number) => new Date(Date.parse(T) + seconds * 1000).toISOString();

function point(seconds: number, more: Partial<HealthPoint> = {}): HealthPoint {
  return {
    at: at(seconds),
    span_seconds: 5,
    away: false,
    score: 100,
    bitrate: 2_000_000,
    audio_bitrate: 100_000,
    fps: 30,
    dropped: 0,
    layers: 1,
    viewers: 2,
    ...more,
  } as HealthPoint;
}

const report = (points: HealthPoint[], gaps: HealthReport['gaps'] = []): HealthReport => ({
  live: false,
  points,
  gaps,
  alerts: [],
});

test('what nobody saw, and when the publisher was away, is a hole', () => {
  const gap = { from: at(5), to: at(55) };
  const { at: times, series } = healthSeries(report([point(5), point(60), point(65, { away: true })], [gap]));
  expect(times.map((time) => time - Date.parse(T) / 1000)).toEqual([5, 60, 65]);
  expect(series[0]?.values).toEqual([2_100_000, 2_100_000, null]);
  const later = healthSeries(report([point(5), point(60)], [{ from: at(6), to: at(55) }]));
  expect(later.series[1]?.values).toEqual([30, null, 30]);
});

test('alerts are shaded, to the end where they last', () => {
  const alert = (from: number, to: number | null): AlertInterval => ({
    alert: 'no_audio',
    from: at(from),
    to: to === null ? null : at(to),
    detail: 'no sound arrived',
  });
  const base = Date.parse(T) / 1000;
  const [first, last] = shades([alert(5, 20), alert(40, null)], base + 90);
  expect(first).toEqual({ from: base + 5, to: base + 20, words: 'No sound arrived.' });
  expect(last?.to).toBe(base + 90);
  expect(alertWords(alert(65, 95), T)).toBe('1:05 into the stream, for 0:30');
  expect(alertWords(alert(65, null), T)).toBe('since 1:05 into the stream');
});

test('a plot is told in one sentence', () => {
  const words = plotWords('Health', healthSeries(report([point(5), point(10, { fps: 12.5 })])), []);
  expect(words).toBe('Health. Bitrate: 2.1 Mbit/s, Frames: 12.5 fps to 30 fps.');
  const viewers = viewerSeries({ now: 0, peak: 3, curve: [{ at: T, viewers: 1.5, most: 3 }] });
  expect(plotWords('Viewers', viewers, [{ from: 0, to: 1, words: '' }])).toBe(
    'Viewers. Viewers: 1.5 on average, Most at once: 3 at once. 1 warning.',
  );
  expect(plotWords('Viewers', viewerSeries({ now: 0, peak: 0 }), [])).toContain('nothing yet');
});
