import { CircleCheck, TriangleAlert } from 'lucide-react';
import { lazy, Suspense, useMemo } from 'react';
import {
  type AlertInterval,
  type HealthReport,
  insightsApi,
  type StreamInsights,
} from '../../../api/insights';
import { Card } from '../../../ui/card';
import { sentence } from '../../../words';
import { NoAnswer } from '../../no_answer';
import { rate } from '../../rate';
import { alertWords, healthSeries, shades } from './series';
import { useFigures } from './use_figures';
import { scoreWords } from './words';

const Plot = lazy(() => import('./plot'));
const SHOWN_ALERTS = 6;

/** How the stream arrives, or arrived: the drawing, what was wrong, and all of it as a table. */
export function HealthCard({ stream }: { stream: StreamInsights }) {
  const query = useFigures('health', stream, insightsApi.health);
  const report = query.data;
  const plotted = useMemo(() => (report ? healthSeries(report) : null), [report]);
  const shaded = useMemo(
    () => (report && plotted ? shades(report.alerts, plotted.at.at(-1) ?? 0) : []),
    [report, plotted],
  );
  const score = report?.points.at(-1)?.score;
  return (
    <Card
      title={stream.ended_at ? 'How it arrived' : 'How it arrives'}
      aside={
        score !== undefined &&
        !stream.ended_at && (
          <span className="text-sm text-ink-2 tabular-nums">
            Score <strong className="font-semibold text-ink">{score}</strong> of 100, {scoreWords(score)}
          </span>
        )
      }
    >
      {!report && query.failureReason && (
        <NoAnswer reason={query.failureReason.message} onRetry={() => void query.refetch()} />
      )}
      {report && plotted && report.points.length === 0 && (
        <p className="text-sm text-ink-2">
          {stream.ended_at
            ? 'This stream was too short to be measured.'
            : 'The first figures are there within seconds.'}
        </p>
      )}
      {report && plotted && report.points.length > 0 && (
        <>
          {!stream.ended_at && <p className="mb-3 text-xs text-ink-3">The last ten minutes</p>}
          <Suspense fallback={<div className="h-58" />}>
            <Plot name="How the stream arrives" plotted={plotted} shades={shaded} />
          </Suspense>
          <Alerts alerts={report.alerts} startedAt={stream.started_at} />
          <AsTable report={report} />
        </>
      )}
    </Card>
  );
}

function Alerts({ alerts, startedAt }: { alerts: AlertInterval[]; startedAt: string }) {
  if (alerts.length === 0) {
    return (
      <p className="mt-4 flex items-center gap-2 text-sm text-ink-2">
        <CircleCheck aria-hidden size={16} className="text-preview-text" /> Nothing was wrong.
      </p>
    );
  }
  const newest = alerts.slice(-SHOWN_ALERTS).reverse();
  return (
    <>
      <ul aria-label="What was wrong" className="mt-4 flex flex-col gap-2.5 text-sm">
        {newest.map((alert) => (
          <li key={`${alert.alert}-${alert.from}`} className="flex items-start gap-2.5">
            <TriangleAlert aria-hidden size={16} className="mt-0.5 shrink-0 text-warn-text" />
            <span>
              {sentence(alert.detail)}{' '}
              <span className="text-ink-3 tabular-nums">{sentence(alertWords(alert, startedAt))}</span>
            </span>
          </li>
        ))}
      </ul>
      {alerts.length > newest.length && (
        <p className="mt-2 text-sm text-ink-3">And {alerts.length - newest.length} before.</p>
      )}
    </>
  );
}

const TIME = new Intl.DateTimeFormat('en', { timeStyle: 'medium' });
const ROWS = 120;

/** The same for those who read rather than look. */
function AsTable({ report }: { report: HealthReport }) {
  const rows = report.points.slice(-ROWS).reverse();
  return (
    <details className="mt-4 text-sm">
      <summary className="inline-flex min-h-9 items-center text-ink-2 hover:text-ink">
        Show as a table
      </summary>
      <section
        aria-label="Figures"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
        tabIndex={0}
        className="mt-2 max-h-80 overflow-auto rounded-lg border border-line"
      >
        <table className="w-full text-right tabular-nums">
          <caption className="sr-only">How the stream arrived, newest first</caption>
          <thead className="sticky top-0 bg-surface-2 text-xs text-ink-2">
            <tr>
              {[
                'Time',
                'Score',
                'Bitrate',
                'Sound',
                'Frames',
                'Key frame',
                'Lost',
                'Round trip',
                'Viewers',
              ].map((name) => (
                <th
                  key={name}
                  scope="col"
                  className="px-3 py-2 font-medium whitespace-nowrap first:text-left"
                >
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((point) => (
              <tr key={point.at} className="border-t border-line whitespace-nowrap *:px-3 *:py-1.5">
                <th scope="row" className="text-left font-normal">
                  {TIME.format(new Date(point.at))}
                </th>
                <td>{point.score}</td>
                {point.away ? (
                  <td colSpan={6} className="text-warn-text">
                    publisher away
                  </td>
                ) : (
                  <>
                    <td>{rate(point.bitrate)}</td>
                    <td>{rate(point.audio_bitrate)}</td>
                    <td>{point.fps}</td>
                    <td>
                      {point.keyframe_interval_ms == null
                        ? '–'
                        : `${(point.keyframe_interval_ms / 1000).toFixed(1)} s`}
                    </td>
                    <td>{point.loss == null ? '–' : `${(point.loss * 100).toFixed(1)} %`}</td>
                    <td>{point.rtt_ms == null ? '–' : `${Math.round(point.rtt_ms)} ms`}</td>
                  </>
                )}
                <td>{point.viewers}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </details>
  );
}
