/** Pictures as SVG text, without any library: small, self-contained, readable in light and dark. */

export const escapeXml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

export interface Series {
  readonly name: string;
  readonly colour: string;
  /** Points in ascending x. */
  readonly points: readonly (readonly [number, number])[];
}

export interface ChartOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly width?: number;
  readonly height?: number;
  readonly logY?: boolean;
  readonly logX?: boolean;
  /** Shaded stretches of x, for example of faults. */
  readonly bands?: readonly { readonly from: number; readonly to: number; readonly label: string }[];
  /** Horizontal lines, for example of goals. */
  readonly marks?: readonly { readonly y: number; readonly label: string }[];
}

export const COLOURS = ['#2f6fde', '#d9622b', '#3a9d5d', '#9a4fd0', '#c2a000', '#d03f6e', '#4aa7b5'] as const;
const MARGIN = { top: 34, right: 16, bottom: 44, left: 64 };
const LEGEND_STEP = 150;

/** Lines over a common x axis. */
export function lineChart(series: readonly Series[], options: ChartOptions): string {
  const { width = 900, height = 280, title, xLabel, yLabel, bands = [], marks = [] } = options;
  const points = series.flatMap((one) => one.points);
  const x = scale(
    points.map(([value]) => value),
    MARGIN.left,
    width - MARGIN.right,
    options.logX ?? false,
    false,
  );
  const y = scale([...points.map(([, value]) => value), ...marks.map((mark) => mark.y)], height - MARGIN.bottom, MARGIN.top, options.logY ?? false, true);
  const body = [
    ...bands.map(({ from, to, label }) => {
      const [left, right] = [x.at(from), Math.max(x.at(to), x.at(from) + 1.5)];
      return `<rect class="band" x="${f(left)}" y="${MARGIN.top}" width="${f(right - left)}" height="${height - MARGIN.top - MARGIN.bottom}"><title>${escapeXml(label)}</title></rect>`;
    }),
    ...axis(x.ticks, y.ticks, x.at, y.at, width, height),
    ...marks.map(
      ({ y: value, label }) =>
        `<line class="mark" x1="${MARGIN.left}" x2="${width - MARGIN.right}" y1="${f(y.at(value))}" y2="${f(y.at(value))}"/><text class="small" x="${width - MARGIN.right}" y="${f(y.at(value) - 4)}" text-anchor="end">${escapeXml(label)}</text>`,
    ),
    ...series.map(({ points: line, colour }) => {
      const path = line.map(([px, py], at) => `${at === 0 ? 'M' : 'L'}${f(x.at(px))} ${f(y.at(py))}`).join('');
      return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.8"/>`;
    }),
    ...series.map(
      ({ name, colour }, at) =>
        `<g><rect x="${MARGIN.left + at * LEGEND_STEP}" y="20" width="10" height="10" fill="${colour}"/><text class="small" x="${MARGIN.left + 14 + at * LEGEND_STEP}" y="29">${escapeXml(name)}</text></g>`,
    ),
  ];
  return frame(width, height, title, xLabel, yLabel, body);
}

export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly colour?: string;
  /** Shown behind the bar; default the value. */
  readonly text?: string;
}

/** Horizontal bars, one under the other. */
export function barChart(bars: readonly Bar[], options: { readonly title: string; readonly width?: number; readonly unit?: string }): string {
  const { width = 900, title, unit = '' } = options;
  const row = 20;
  const left = 220;
  const most = Math.max(1e-9, ...bars.map(({ value }) => value));
  const height = MARGIN.top + bars.length * row + 12;
  const body = bars.map(({ label, value, colour = COLOURS[0], text }, at) => {
    const y = MARGIN.top + at * row;
    const length = (value / most) * (width - left - 120);
    return (
      `<text class="small" x="${left - 6}" y="${y + 13}" text-anchor="end">${escapeXml(label)}</text><rect x="${left}" y="${y + 3}" width="${f(Math.max(1, length))}" height="${row - 6}" fill="${colour}"/>` +
      `<text class="small" x="${f(left + length + 6)}" y="${y + 13}">${escapeXml(text ?? `${short(value)}${unit}`)}</text>`
    );
  });
  return frame(width, height, title, '', '', body);
}

function frame(width: number, height: number, title: string, xLabel: string, yLabel: string, body: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" role="img" aria-label="${escapeXml(title)}">`,
    '<style>text{font:13px system-ui,sans-serif;fill:#30363d}.small{font-size:11px}.grid{stroke:#8884;stroke-width:1}.band{fill:#d9622b;opacity:.18}.mark{stroke:#c33;stroke-dasharray:5 4}',
    '@media(prefers-color-scheme:dark){text{fill:#c9d1d9}}</style>',
    `<text x="${MARGIN.left}" y="14" font-weight="600">${escapeXml(title)}</text>`,
    ...body,
    `<text class="small" x="${width / 2}" y="${height - 6}" text-anchor="middle">${escapeXml(xLabel)}</text>`,
    `<text class="small" transform="translate(12 ${height / 2}) rotate(-90)" text-anchor="middle">${escapeXml(yLabel)}</text>`,
    '</svg>',
  ].join('\n');
}

function axis(
  xTicks: readonly number[],
  yTicks: readonly number[],
  x: (value: number) => number,
  y: (value: number) => number,
  width: number,
  height: number,
): string[] {
  return [
    ...yTicks.map(
      (tick) =>
        `<line class="grid" x1="${MARGIN.left}" x2="${width - MARGIN.right}" y1="${f(y(tick))}" y2="${f(y(tick))}"/><text class="small" x="${MARGIN.left - 6}" y="${f(y(tick) + 4)}" text-anchor="end">${short(tick)}</text>`,
    ),
    ...xTicks.map((tick) => `<text class="small" x="${f(x(tick))}" y="${height - MARGIN.bottom + 16}" text-anchor="middle">${short(tick)}</text>`),
  ];
}

function scale(values: readonly number[], from: number, to: number, log: boolean, fromZero: boolean): { at: (value: number) => number; ticks: number[] } {
  const shown = log ? values.filter((value) => value > 0) : values;
  const low = fromZero && !log ? 0 : Math.min(...shown, Number.POSITIVE_INFINITY);
  const high = Math.max(...shown, Number.NEGATIVE_INFINITY);
  if (!Number.isFinite(low) || !Number.isFinite(high)) return { at: () => from, ticks: [] };
  if (log) {
    const [start, end] = [Math.floor(Math.log10(low)), Math.max(Math.floor(Math.log10(low)) + 1, Math.ceil(Math.log10(high)))];
    const at = (value: number): number => from + ((Math.log10(Math.max(value, 10 ** start)) - start) / (end - start)) * (to - from);
    return { at, ticks: Array.from({ length: end - start + 1 }, (_, index) => 10 ** (start + index)) };
  }
  const step = niceStep((high - low || 1) / 5);
  const [start, end] = [Math.floor(low / step) * step, Math.max(Math.ceil(high / step) * step, Math.floor(low / step) * step + step)];
  const at = (value: number): number => from + ((value - start) / (end - start)) * (to - from);
  return { at, ticks: Array.from({ length: Math.round((end - start) / step) + 1 }, (_, index) => start + index * step) };
}

function niceStep(raw: number): number {
  const magnitude = 10 ** Math.floor(Math.log10(raw));
  return ([1, 2, 5, 10].find((factor) => factor * magnitude >= raw) ?? 10) * magnitude;
}

const f = (value: number): string => value.toFixed(1);

/** A number as people write it on an axis: 1.5k, 20M. */
export function short(value: number): string {
  const units: readonly (readonly [number, string])[] = [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ];
  for (const [size, unit] of units) if (Math.abs(value) >= size) return `${trim(value / size)}${unit}`;
  return trim(value);
}

const trim = (value: number): string => String(Number(value.toPrecision(3)));
