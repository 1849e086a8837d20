import { lazy, Suspense, useMemo } from 'react';
import { insightsApi, type StreamInsights } from '../../../api/insights';
import { Card } from '../../../ui/card';
import { COUNT } from '../../../ui/time';
import { NoAnswer } from '../../no_answer';
import { viewerSeries } from './series';
import { useFigures } from './use_figures';
import { transportShares, watchWords } from './words';

const Plot = lazy(() => import('./plot'));

/** Who watches, or watched: the numbers and their course. */
export function ViewersCard({ stream }: { stream: StreamInsights }) {
  const query = useFigures('viewers', stream, insightsApi.viewers);
  const report = query.data;
  const plotted = useMemo(() => (report ? viewerSeries(report) : null), [report]);
  if (!report || !plotted) {
    return (
      <Card title="Viewers">
        {query.failureReason && (
          <NoAnswer reason={query.failureReason.message} onRetry={() => void query.refetch()} />
        )}
      </Card>
    );
  }
  const numbers: [string, string][] = [
    ...(stream.ended_at ? [] : [['Now', COUNT.format(report.now)] as [string, string]]),
    ['Peak', COUNT.format(report.peak)],
    ['Different people', COUNT.format(report.unique ?? 0)],
    ['On average', COUNT.format(report.average ?? 0)],
    ['Watch time', watchWords(report.watch_seconds ?? 0)],
  ];
  const by = report.watch_seconds_by_transport;
  return (
    <Card title="Viewers">
      <dl className="grid grid-cols-2 gap-x-6 gap-y-4 sm:grid-cols-3 lg:grid-cols-5">
        {numbers.map(([name, value]) => (
          <div key={name}>
            <dt className="text-xs text-ink-3">{name}</dt>
            <dd
              data-testid={`viewers-${name.toLowerCase().replace(' ', '-')}`}
              className="mt-0.5 text-2xl font-semibold tabular-nums"
            >
              {value}
            </dd>
          </div>
        ))}
      </dl>
      {by && transportShares(by).length > 0 && <Transports shares={transportShares(by)} />}
      {plotted.at.length > 1 ? (
        <div className="mt-5">
          <Suspense fallback={<div className="h-58" />}>
            <Plot name="Viewers over time" plotted={plotted} shades={NONE} />
          </Suspense>
        </div>
      ) : (
        <p className="mt-4 text-sm text-ink-3">The course of it is drawn from the second minute on.</p>
      )}
      {plotted.at.length > 1 && <AsTable report={report} />}
    </Card>
  );
}

const NONE: never[] = [];
const TONES = ['bg-ink', 'bg-ink-3', 'bg-line-strong'];

function Transports({ shares }: { shares: [string, number][] }) {
  return (
    <div className="mt-5">
      <p className="text-xs text-ink-3">How they watched, by time</p>
      <div aria-hidden className="mt-2 flex h-2 gap-0.5 overflow-hidden rounded-full">
        {shares.map(([name, share], index) => (
          <span key={name} className={TONES[index]} style={{ flexGrow: Math.max(1, share) }} />
        ))}
      </div>
      <ul className="mt-2 flex flex-wrap gap-x-5 gap-y-1 text-sm text-ink-2 tabular-nums">
        {shares.map(([name, share], index) => (
          <li key={name} className="inline-flex items-center gap-2">
            <span aria-hidden className={`size-2 rounded-full ${TONES[index]}`} />
            {name} {share} %
          </li>
        ))}
      </ul>
    </div>
  );
}

const TIME = new Intl.DateTimeFormat('en', { timeStyle: 'short' });
const ROWS = 240;

function AsTable({ report }: { report: { curve?: { at: string; viewers: number; most: number }[] | null } }) {
  const rows = (report.curve ?? []).slice(-ROWS).reverse();
  return (
    <details className="mt-4 text-sm">
      <summary className="inline-flex min-h-9 items-center text-ink-2 hover:text-ink">
        Show as a table
      </summary>
      <section
        aria-label="Viewers by minute"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
        tabIndex={0}
        className="mt-2 max-h-80 overflow-auto rounded-lg border border-line"
      >
        <table className="w-full text-right tabular-nums">
          <caption className="sr-only">Viewers by minute, newest first</caption>
          <thead className="sticky top-0 bg-surface-2 text-xs text-ink-2">
            <tr className="*:px-3 *:py-2 *:font-medium">
              <th scope="col" className="text-left">
                Time
              </th>
              <th scope="col">On average</th>
              <th scope="col">Most at once</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ at, viewers, most }) => (
              <tr key={at} className="border-t border-line *:px-3 *:py-1.5">
                <th scope="row" className="text-left font-normal">
                  {TIME.format(new Date(at))}
                </th>
                <td>{viewers}</td>
                <td>{most}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </details>
  );
}
