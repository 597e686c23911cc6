export interface Point {
  /** Seconds since the start. */
  readonly at: number;
  readonly value: number;
}

/** Least-squares slope, in units per second. */
export function slopeOf(points: readonly Point[]): number {
  const meanAt = points.reduce((sum, { at }) => sum + at, 0) / points.length;
  const mean = points.reduce((sum, { value }) => sum + value, 0) / points.length;
  let across = 0;
  let along = 0;
  for (const { at, value } of points) {
    across += (at - meanAt) * (value - mean);
    along += (at - meanAt) ** 2;
  }
  return along === 0 ? 0 : across / along;
}

const WIDTH = 720;
const HEIGHT = 240;
const LEFT = 56;
const BOTTOM = 28;

/** Lines over time as a picture. */
export function picture(
  title: string,
  unit: string,
  series: readonly { readonly name: string; readonly colour: string; readonly points: readonly Point[] }[],
): string {
  const all = series.flatMap(({ points }) => points);
  const end = Math.max(...all.map(({ at }) => at));
  const top = Math.ceil(Math.max(...all.map(({ value }) => value)) / 20) * 20;
  const x = (at: number) => (LEFT + (at / end) * (WIDTH - LEFT - 12)).toFixed(1);
  const y = (value: number) => (HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - 30)).toFixed(1);
  const lines = series.map(({ colour, points }) => {
    const path = points.map(({ at, value }) => `${x(at)},${y(value)}`).join(' ');
    return `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${path}"/>`;
  });
  const names = series.map(({ name, colour }, index) => `<text x="${LEFT + 8 + index * 200}" y="34" fill="${colour}">${name}</text>`);
  const marks = [0, top / 2, top].map(
    (value) =>
      `<text x="${LEFT - 6}" y="${Number(y(value)) + 4}" text-anchor="end">${value}</text><line x1="${LEFT}" x2="${WIDTH - 12}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>`,
  );
  const times = [0, 0.25, 0.5, 0.75, 1].map(
    (share) => `<text x="${x(share * end)}" y="${HEIGHT - 8}" text-anchor="middle">${((share * end) / 60).toFixed(1)}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#444">\n<title>Memory of one gateway over time</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="16" font-weight="bold">${title} (${unit}; minutes)</text>`,
    ...names,
    ...marks,
    ...times,
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}
