import { useId } from 'react';
import { moneyText } from '../../../payments/money';
import { barsOf, type Day, dayWords, KINDS, type Kind, revenueWords, type Series } from './revenue';

const HEIGHT = 160;
/** Of a day and the gap behind it. */
const STEP = 10;
const BAR = 8;

/** A bar a day, of which each kind is a part; kinds differ in shade and hatching, not in colour alone. */
export function RevenueGraph({ series }: { series: Series }) {
  const id = useId();
  const { days, currency } = series;
  const { bars, line, most } = barsOf(days);
  const width = days.length * STEP;
  const used = KINDS.filter(({ kind }) => days.some(({ amounts }) => amounts[kind] !== 0));
  return (
    <figure>
      <figcaption className="mb-2 flex flex-wrap gap-x-5 gap-y-1 text-sm text-ink-2">
        {used.map(({ kind, label }) => (
          <span key={kind} className="inline-flex items-center gap-2">
            <svg aria-hidden width="14" height="14" className="shrink-0 rounded-sm">
              <Hatching id={`${id}-key`} />
              <rect width="14" height="14" {...fillOf(kind, `${id}-key`)} />
            </svg>
            {label}
          </span>
        ))}
        <span aria-hidden className="ml-auto text-ink-3 tabular-nums">
          {moneyText({ amount: most, currency })}
        </span>
      </figcaption>
      <svg
        role="img"
        aria-label={revenueWords(series)}
        viewBox={`0 0 ${width} ${HEIGHT}`}
        preserveAspectRatio="none"
        className="h-40 w-full rounded-lg bg-surface-0"
      >
        <Hatching id={id} />
        {bars.map((parts, at) => (
          <g key={days[at]?.day}>
            <title>{days[at] && dayText(days[at], currency)}</title>
            <rect x={at * STEP} width={STEP} height={HEIGHT} fill="transparent" />
            {parts.map(({ kind, y, height }) => (
              <rect
                key={kind}
                x={at * STEP + (STEP - BAR) / 2}
                width={BAR}
                y={y * HEIGHT}
                height={Math.max(1, height * HEIGHT)}
                vectorEffect="non-scaling-stroke"
                {...fillOf(kind, id)}
              />
            ))}
          </g>
        ))}
        <path
          d={`M0,${line * HEIGHT}H${width}`}
          className="stroke-line-strong"
          vectorEffect="non-scaling-stroke"
        />
      </svg>
      <p aria-hidden className="mt-1 flex justify-between text-xs text-ink-3">
        <span>{days[0] && dayWords(days[0].day)}</span>
        <span>today</span>
      </p>
      <DayTable series={series} used={used} />
    </figure>
  );
}

function dayText({ day, amounts, total }: Day, currency: string): string {
  const parts = KINDS.filter(({ kind }) => amounts[kind] !== 0).map(
    ({ kind, label }) => `${label} ${moneyText({ amount: amounts[kind], currency })}`,
  );
  const all = moneyText({ amount: total, currency });
  return [`${dayWords(day)}: ${all}`, ...parts].join(', ');
}

const SHADES: Record<Kind, string> = {
  membership: 'fill-ink',
  gift: 'fill-ink-3',
  tip: '',
  ticket: 'fill-surface-3 stroke-ink-3',
};

function fillOf(kind: Kind, id: string) {
  return kind === 'tip' ? { fill: `url(#${id}-tip)` } : { className: SHADES[kind] };
}

function Hatching({ id }: { id: string }) {
  return (
    <defs>
      <pattern id={`${id}-tip`} width="4" height="4" patternUnits="userSpaceOnUse">
        <rect width="4" height="4" className="fill-surface-3" />
        <rect width="4" height="2" className="fill-ink-2" />
      </pattern>
    </defs>
  );
}

function DayTable({ series, used }: { series: Series; used: readonly (typeof KINDS)[number][] }) {
  const { currency } = series;
  const days = series.days.filter(({ amounts }) => Object.values(amounts).some((amount) => amount !== 0));
  return (
    <details className="mt-2 text-sm">
      <summary className="min-h-9 rounded py-2 text-ink-2 hover:text-ink">As a table</summary>
      <div className="overflow-x-auto">
        <table className="w-full text-right tabular-nums">
          <thead className="text-ink-3">
            <tr className="border-b border-line">
              <th scope="col" className="py-1.5 pr-4 text-left font-medium">
                Day
              </th>
              {used.map(({ kind, label }) => (
                <th key={kind} scope="col" className="py-1.5 pr-4 font-medium">
                  {label}
                </th>
              ))}
              <th scope="col" className="py-1.5 font-medium">
                In all
              </th>
            </tr>
          </thead>
          <tbody>
            {days.toReversed().map(({ day, amounts, total }) => (
              <tr key={day} className="border-b border-line last:border-b-0">
                <th scope="row" className="py-1.5 pr-4 text-left font-normal whitespace-nowrap">
                  {dayWords(day)}
                </th>
                {used.map(({ kind }) => (
                  <td key={kind} className="py-1.5 pr-4">
                    {moneyText({ amount: amounts[kind], currency })}
                  </td>
                ))}
                <td className="py-1.5 font-medium">{moneyText({ amount: total, currency })}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
