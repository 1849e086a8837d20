/** What is plotted: columns of numbers with holes where nothing is known, and words for all of it. */
import type { AlertInterval, HealthReport, ViewersReport } from '../../../api/insights';
import { clock } from '../../../ui/time';
import { sentence } from '../../../words';
import { rate } from '../../rate';

export interface Series {
  label: string;
  values: (number | null)[];
  /** For the legend and the table. */
  words: (value: number) => string;
  /** Of whom the scale is; series of one scale are drawn against one another. */
  scale: string;
}

export interface Plotted {
  /** Unix seconds, rising. */
  at: number[];
  series: Series[];
}

export interface Shade {
  from: number;
  to: number;
  words: string;
}

const seconds = (time: string) => Date.parse(time) / 1000;
const number = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(1));

/** Bitrate and frames a second. */
export function healthSeries(report: HealthReport): Plotted {
  const at: number[] = [];
  const bitrate: (number | null)[] = [];
  const fps: (number | null)[] = [];
  const gaps = report.gaps.map(({ from }) => seconds(from));
  for (const point of report.points) {
    const time = seconds(point.at);
    // A hole, so that no line is drawn over what nobody saw.
    while (gaps[0] !== undefined && gaps[0] < time) {
      at.push(gaps.shift() as number);
      bitrate.push(null);
      fps.push(null);
      if (at.at(-1) === at.at(-2)) {
        at.pop();
        bitrate.pop();
        fps.pop();
      }
    }
    at.push(time);
    bitrate.push(point.away ? null : point.bitrate + point.audio_bitrate);
    fps.push(point.away ? null : point.fps);
  }
  return {
    at,
    series: [
      { label: 'Bitrate', values: bitrate, words: rate, scale: 'bitrate' },
      { label: 'Frames', values: fps, words: (value) => `${number(value)} fps`, scale: 'fps' },
    ],
  };
}

/** How many watched. */
export function viewerSeries({ curve }: ViewersReport): Plotted {
  const minutes = curve ?? [];
  return {
    at: minutes.map(({ at }) => seconds(at)),
    series: [
      {
        label: 'Viewers',
        values: minutes.map(({ viewers }) => viewers),
        words: (value) => `${number(value)} on average`,
        scale: 'viewers',
      },
      {
        label: 'Most at once',
        values: minutes.map(({ most }) => most),
        words: (value) => `${value} at once`,
        scale: 'viewers',
      },
    ],
  };
}

/** Alerts as times to be shaded; one that lasts reaches to the end. */
export function shades(alerts: AlertInterval[], end: number): Shade[] {
  return alerts.map(({ from, to, detail }) => ({
    from: seconds(from),
    to: to ? seconds(to) : Math.max(end, seconds(from)),
    words: sentence(detail),
  }));
}

/** "4 minutes", "for 12 seconds so far" and since when, from the stream's beginning. */
export function alertWords(alert: AlertInterval, startedAt: string): string {
  const into = clock(Math.max(0, Date.parse(alert.from) - Date.parse(startedAt)));
  if (!alert.to) return `since ${into} into the stream`;
  const length = Math.max(1, Math.round((Date.parse(alert.to) - Date.parse(alert.from)) / 1000));
  return `${into} into the stream, for ${clock(length * 1000)}`;
}

/** One sentence for those who do not see the drawing. */
export function plotWords(name: string, { series }: Plotted, alerts: Shade[]): string {
  const parts = series.map(({ label, values, words }) => {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return `${label}: nothing yet`;
    const [least, most] = [Math.min(...known), Math.max(...known)];
    return least === most ? `${label}: ${words(most)}` : `${label}: ${words(least)} to ${words(most)}`;
  });
  const warned =
    alerts.length > 0 ? ` ${alerts.length} ${alerts.length === 1 ? 'warning' : 'warnings'}.` : '';
  return `${name}. ${parts.join(', ')}.${warned}`;
}
