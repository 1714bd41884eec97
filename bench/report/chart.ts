/** Charts as SVG text, without a dependency: lines over a scale, and stacked bars. */

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LineChart {
  readonly title: string;
  /** Under what conditions, one line. */
  readonly subtitle: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Logarithmic scales are for positive numbers; a zero stands at the bottom. */
  readonly xScale?: 'linear' | 'log';
  /** Where the x axis is labelled; round numbers when absent. */
  readonly xTicks?: readonly number[];
  readonly yScale?: 'linear' | 'log';
  readonly series: readonly Series[];
}

export interface BarChart {
  readonly title: string;
  readonly subtitle: string;
  readonly yLabel: string;
  readonly bars: readonly string[];
  /** One value a bar; they stand on each other in this order. */
  readonly stack: readonly { readonly name: string; readonly values: readonly number[] }[];
}

const WIDTH = 800;
const HEIGHT = 440;
const PLOT = { left: 80, top: 64, right: 610, bottom: 370 };
const LEGEND_LEFT = PLOT.right + 20;
const LEGEND_LINE = 20;
/** Okabe and Ito's: told apart by colour-blind readers too. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#666666', '#b8a800'];
/** At the most about so many on a linear scale. */
const TICKS = 5;

export function lineChart(chart: LineChart): string {
  const xs = chart.series.flatMap(({ points }) => points.map(([x]) => x));
  const ys = chart.series.flatMap(({ points }) => points.map(([, y]) => y));
  const x = scale(chart.xScale ?? 'linear', xs, PLOT.left, PLOT.right, false);
  const y = scale(chart.yScale ?? 'linear', ys, PLOT.bottom, PLOT.top, true);
  const lines = chart.series.map(({ points }, i) => {
    const places = points.map(([px, py]) => `${round(x.place(px))},${round(y.place(py))}`);
    const dots = places.map((place) => {
      const [cx, cy] = place.split(',');
      return `<circle cx="${cx}" cy="${cy}" r="3.5" fill="${colour(i)}"/>`;
    });
    return `<polyline points="${places.join(' ')}" fill="none" stroke="${colour(i)}" stroke-width="2"/>${dots.join('')}`;
  });
  return page(chart, [
    ...yGrid(y),
    ...(chart.xTicks ?? x.ticks).map((value) =>
      text(x.place(value), PLOT.bottom + 18, short(value), 'middle'),
    ),
    ...lines,
    text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 42, chart.xLabel, 'middle'),
    ...legend(chart.series.map(({ name }) => name)),
  ]);
}

export function barChart(chart: BarChart): string {
  const totals = chart.bars.map((_, bar) => chart.stack.reduce((sum, { values }) => sum + values[bar], 0));
  const y = scale('linear', totals, PLOT.bottom, PLOT.top, true);
  const step = (PLOT.right - PLOT.left) / chart.bars.length;
  const bars = chart.bars.flatMap((name, bar) => {
    const left = PLOT.left + step * (bar + 0.15);
    let below = 0;
    const parts = chart.stack.map(({ values }, i) => {
      const top = y.place(below + values[bar]);
      const height = y.place(below) - top;
      below += values[bar];
      return `<rect x="${round(left)}" y="${round(top)}" width="${round(step * 0.7)}" height="${round(height)}" fill="${colour(i)}"/>`;
    });
    const middle = left + step * 0.35;
    const lines = name
      .split(' ')
      .map((word, i) => text(middle, PLOT.bottom + 18 + i * 14, word, 'middle', 12));
    return [...parts, text(middle, y.place(below) - 6, short(Math.round(below)), 'middle', 12), ...lines];
  });
  return page(chart, [...yGrid(y), ...bars, ...legend(chart.stack.map(({ name }) => name))]);
}

interface Scale {
  readonly ticks: readonly number[];
  place(value: number): number;
}

/**
 * From `from` to `to` on the page. The y scale ends at ticks, so that the grid has a top and a bottom; the x
 * scale at the data.
 */
function scale(
  kind: 'linear' | 'log',
  values: readonly number[],
  from: number,
  to: number,
  isY: boolean,
): Scale {
  const { least, most, ticks } = kind === 'log' ? logRange(values, isY) : linearRange(values, isY);
  const position = kind === 'log' ? (value: number) => Math.log(Math.max(value, least)) : Number;
  const length = position(most) - position(least) || 1;
  return { ticks, place: (value) => from + ((position(value) - position(least)) / length) * (to - from) };
}

interface Range {
  readonly least: number;
  readonly most: number;
  readonly ticks: readonly number[];
}

function linearRange(values: readonly number[], isY: boolean): Range {
  const most = Math.max(...values, isY ? Number.MIN_VALUE : Number.NEGATIVE_INFINITY);
  const least = isY ? 0 : Math.min(...values);
  const unit = roundUp((most - least || 1) / TICKS);
  const first = Math.ceil(least / unit);
  const last = isY ? Math.ceil(most / unit) : Math.floor(most / unit);
  const ticks = Array.from({ length: Math.max(last - first + 1, 1) }, (_, i) => (first + i) * unit);
  return { least, most: isY ? ticks[ticks.length - 1] : most, ticks };
}

/** Decades for y; 1, 2, 5, 10, ... for x. */
function logRange(values: readonly number[], isY: boolean): Range {
  const positive = values.filter((value) => value > 0);
  const least = Math.min(...positive, Number.MAX_VALUE);
  const most = Math.max(...positive, Number.MIN_VALUE);
  if (positive.length === 0) return { least: 1, most: 10, ticks: [1, 10] };
  const decades: number[] = [];
  const first = Math.floor(Math.log10(least));
  const last = Math.max(Math.ceil(Math.log10(most)), first + 1);
  for (let power = first; power <= last; power++) decades.push(10 ** power);
  if (isY) return { least: decades[0], most: decades[decades.length - 1], ticks: decades };
  const ticks = decades.flatMap((decade) => [decade, 2 * decade, 5 * decade]);
  return { least, most, ticks: ticks.filter((tick) => tick >= least && tick <= most) };
}

/** The next of 1, 2, 5, 10, 20, ... */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= value * 0.999)!;
}

function yGrid({ ticks, place }: Scale): string[] {
  return ticks.flatMap((tick) => {
    const y = round(place(tick));
    return [
      `<line x1="${PLOT.left}" y1="${y}" x2="${PLOT.right}" y2="${y}" stroke="#ddd"/>`,
      text(PLOT.left - 8, y + 4, short(tick), 'end'),
    ];
  });
}

function legend(names: readonly string[]): string[] {
  return names.flatMap((name, i) => {
    const y = PLOT.top + 8 + i * LEGEND_LINE;
    return [
      `<rect x="${LEGEND_LEFT}" y="${y - 10}" width="12" height="12" fill="${colour(i)}"/>`,
      text(LEGEND_LEFT + 18, y, name, 'start'),
    ];
  });
}

function page(
  { title, subtitle, yLabel }: { title: string; subtitle: string; yLabel: string },
  content: readonly string[],
): string {
  const middle = (PLOT.top + PLOT.bottom) / 2;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="13" fill="#333">
<title>${escaped(title)}</title>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
${text(PLOT.left, 26, title, 'start', 17)}
${text(PLOT.left, 46, subtitle, 'start', 12)}
<text x="20" y="${middle}" text-anchor="middle" transform="rotate(-90 20 ${middle})">${escaped(yLabel)}</text>
${content.join('\n')}
</svg>
`;
}

function text(
  x: number,
  y: number,
  value: string,
  anchor: 'start' | 'middle' | 'end',
  size?: number,
): string {
  const fontSize = size === undefined ? '' : ` font-size="${size}"`;
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"${fontSize}>${escaped(value)}</text>`;
}

function escaped(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** 20000 as 20 k. */
function short(value: number): string {
  if (Math.abs(value) >= 1e6) return `${trimmed(value / 1e6)} M`;
  if (Math.abs(value) >= 1e4) return `${trimmed(value / 1e3)} k`;
  return trimmed(value);
}

function trimmed(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function colour(i: number): string {
  return COLOURS[i % COLOURS.length];
}
