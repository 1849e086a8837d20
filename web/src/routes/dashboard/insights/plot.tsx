/** One drawing by uPlot, loaded when the first is shown. It follows the theme, the width and the keyboard. */
import 'uplot/dist/uPlot.min.css';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import { type Plotted, plotWords, type Shade } from './series';

/** Colours of tokens.css, in the order of the series; lines also differ in how they are dashed. */
const LINES = [
  { token: '--ink', dash: [] },
  { token: '--ink-3', dash: [6, 4] },
] as const;
const HEIGHT = 200;

export default function Plot({ name, plotted, shades }: { name: string; plotted: Plotted; shades: Shade[] }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shown = useRef(shades);
  const [index, setIndex] = useState<number | null>(null);
  const theme = useTheme();
  const { at, series } = plotted;
  const shape = series.map(({ label }) => label).join();

  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme, or other series, is another drawing; new figures are put into it below
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const drawing = new uPlot(
      options(element, plotted, () => shown.current, setIndex),
      data(plotted),
      element,
    );
    plot.current = drawing;
    const watch = new ResizeObserver(() =>
      drawing.setSize({ width: Math.max(200, element.clientWidth), height: HEIGHT }),
    );
    watch.observe(element);
    return () => {
      watch.disconnect();
      drawing.destroy();
      plot.current = null;
    };
  }, [theme, shape]);

  useEffect(() => {
    shown.current = shades;
    plot.current?.setData(data(plotted));
  }, [plotted, shades]);

  function move(event: KeyboardEvent): void {
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -12, PageDown: 12 };
    const last = at.length - 1;
    const here = index ?? last;
    const to =
      event.key === 'Home' ? 0 : event.key === 'End' ? last : here + (steps[event.key] ?? Number.NaN);
    const drawing = plot.current;
    if (Number.isNaN(to) || !drawing || last < 0) return;
    event.preventDefault();
    const next = Math.min(last, Math.max(0, to));
    drawing.setCursor({ left: drawing.valToPos(at[next] ?? 0, 'x'), top: 10 });
    setIndex(next);
  }

  const here = index !== null && index < at.length ? index : at.length - 1;
  const time = at[here];
  const wrong = time === undefined ? [] : shades.filter(({ from, to }) => from <= time && time <= to);
  return (
    <figure>
      <figcaption className="mb-2 flex min-h-6 flex-wrap items-center gap-x-5 gap-y-1 text-sm tabular-nums">
        {series.map(({ label, values, words }, number) => {
          const value = values[here];
          return (
            <span key={label} className="inline-flex items-center gap-2 text-ink-2">
              <Swatch line={number} />
              {label} <strong className="font-semibold text-ink">{value == null ? '–' : words(value)}</strong>
            </span>
          );
        })}
        {time !== undefined && <span className="text-ink-3">{TIME.format(time * 1000)}</span>}
        {wrong[0] && <span className="text-warn-text">{wrong[0].words}</span>}
      </figcaption>
      <div
        ref={place}
        role="slider"
        tabIndex={0}
        aria-label={plotWords(name, plotted, shades)}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, at.length - 1)}
        aria-valuenow={Math.max(0, here)}
        aria-valuetext={valueWords(plotted, here, wrong)}
        onKeyDown={move}
        className="w-full rounded-lg"
      />
    </figure>
  );
}

const TIME = new Intl.DateTimeFormat('en', { timeStyle: 'medium' });

function valueWords({ at, series }: Plotted, here: number, wrong: Shade[]): string {
  const time = at[here];
  if (time === undefined) return 'nothing yet';
  const values = series.map(({ label, values, words }) => {
    const value = values[here];
    return `${label} ${value == null ? 'unknown' : words(value)}`;
  });
  return [TIME.format(time * 1000), ...values, ...wrong.map(({ words }) => words)].join(', ');
}

function Swatch({ line }: { line: number }) {
  const { token, dash } = LINES[line] ?? LINES[0];
  return (
    <svg aria-hidden width="22" height="4" className="shrink-0">
      <line
        x1="0"
        x2="22"
        y1="2"
        y2="2"
        strokeWidth="2.5"
        stroke={`var(${token})`}
        strokeDasharray={dash.join(' ')}
      />
    </svg>
  );
}

function data({ at, series }: Plotted): uPlot.AlignedData {
  return [at, ...series.map(({ values }) => values)];
}

function options(
  element: HTMLElement,
  { series }: Plotted,
  shades: () => Shade[],
  tell: (index: number | null) => void,
): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (token: string) => style.getPropertyValue(token).trim();
  const scales = [...new Set(series.map(({ scale }) => scale))];
  const font = `12px ${style.fontFamily}`;
  const axis = { stroke: color('--ink-3'), font, ticks: { show: false } };
  return {
    width: Math.max(200, element.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
    scales: Object.fromEntries(scales.map((scale) => [scale, { range: fromNothing }])),
    axes: [
      { ...axis, grid: { show: false }, space: 90 },
      ...scales.map((scale, side) => ({
        ...axis,
        scale,
        side: side === 0 ? 3 : 1,
        size: 62,
        grid: { show: side === 0, stroke: color('--line'), width: 1 },
        values: (_: uPlot, splits: number[]) => splits.map((value) => axisWords(series, scale, value)),
      })),
    ] as uPlot.Axis[],
    series: [
      {},
      ...series.map(({ label, scale }, number) => {
        const { token, dash } = LINES[number] ?? LINES[0];
        return {
          label,
          scale,
          stroke: color(token),
          width: 2,
          dash: [...dash],
          spanGaps: false,
          points: { show: false },
        };
      }),
    ],
    hooks: {
      drawClear: [(drawing) => shade(drawing, shades(), color('--warn-soft'), color('--warn'))],
      setCursor: [({ cursor }) => tell(cursor.idx ?? null)],
    },
  };
}

/** From nothing to a little above the most. */
function fromNothing(_: uPlot, __: number | null, most: number | null): [number, number] {
  return [0, Math.max(1, (most ?? 0) * 1.15)];
}

function axisWords(series: Plotted['series'], scale: string, value: number): string {
  if (scale === 'viewers') return Number.isInteger(value) ? String(value) : '';
  return series.find((each) => each.scale === scale)?.words(value) ?? '';
}

/** Times in which something was wrong, behind the lines. */
function shade(drawing: uPlot, shades: Shade[], fill: string, edge: string): void {
  const { ctx, bbox } = drawing;
  ctx.save();
  for (const { from, to } of shades) {
    const left = Math.max(bbox.left, drawing.valToPos(from, 'x', true));
    const right = Math.min(bbox.left + bbox.width, drawing.valToPos(to, 'x', true));
    if (right < bbox.left || left > bbox.left + bbox.width) continue;
    const width = Math.max(3, right - left);
    ctx.fillStyle = fill;
    ctx.fillRect(left, bbox.top, width, bbox.height);
    ctx.fillStyle = edge;
    ctx.fillRect(left, bbox.top, width, 3);
  }
  ctx.restore();
}

/** Changes when the colours do. */
function useTheme(): boolean {
  const [light, setLight] = useState(() => matchMedia(LIGHT).matches);
  useEffect(() => {
    const query = matchMedia(LIGHT);
    const follow = () => setLight(query.matches);
    query.addEventListener('change', follow);
    return () => query.removeEventListener('change', follow);
  }, []);
  return light;
}

const LIGHT = '(prefers-color-scheme: light)';
