/** What the plots have in common: a frame whose colours suit a light and a dark page, text, and logarithmic axes. Pure. */

/** Okabe and Ito's colours, which people who are colour-blind can tell apart, on white and on black. */
const seriesColours = ['#0072b2', '#e69f00', '#009e73', '#cc79a7'] as const;

const fontSize = 12;

/** The whole picture. `description` is for those who cannot see it. */
export function frame(width: number, height: number, description: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escapeText(description)}</title>`,
    '<style>',
    `text { font: ${fontSize}px system-ui, 'DejaVu Sans', sans-serif; fill: #24292f; }`,
    '.page { fill: #ffffff; } .line { stroke: #d0d7de; } .strong { stroke: #57606a; }',
    '@media (prefers-color-scheme: dark) {',
    'text { fill: #e6edf3; } .page { fill: #0d1117; } .line { stroke: #30363d; } .strong { stroke: #8b949e; }',
    '}',
    '</style>',
    `<rect class="page" width="${width}" height="${height}"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

export function label(
  text: string,
  x: number,
  y: number,
  anchor: 'start' | 'middle' | 'end' = 'start',
): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escapeText(text)}</text>`;
}

export function rule(
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  style: 'line' | 'strong' = 'line',
): string {
  return `<line class="${style}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`;
}

/** Names of the series beside squares of their colours. */
export function legend(names: readonly string[], x: number, y: number): string {
  let left = x;
  return names
    .map((name, index) => {
      const square = `<rect x="${left}" y="${y - 10}" width="11" height="11" fill="${colourOf(index)}"/>`;
      const text = label(name, left + 16, y);
      left += 16 + name.length * 7 + 20;
      return square + text;
    })
    .join('\n');
}

export function colourOf(series: number): string {
  return seriesColours[series % seriesColours.length] ?? seriesColours[0];
}

interface LogAxis {
  /** Pixels of a value. */
  readonly place: (value: number) => number;
  readonly ticks: readonly number[];
}

/** From pixel `from` to `to`, for all positive `values`; the ends are powers of `base`. */
export function logAxis(values: readonly number[], from: number, to: number, base = 10): LogAxis {
  const logarithms = values.filter((value) => value > 0).map((value) => Math.log(value) / Math.log(base));
  // A little is allowed for what is not exact in logarithms.
  const least = Math.floor(Math.min(...logarithms, Infinity) + 1e-9);
  const most = Math.ceil(Math.max(...logarithms, -Infinity) - 1e-9);
  if (!Number.isFinite(least) || !Number.isFinite(most)) return { place: () => from, ticks: [] };
  const span = Math.max(1, most - least);
  const ticks = Array.from({ length: span + 1 }, (_, index) => base ** (least + index));
  return {
    place: (value) => from + ((Math.log(value) / Math.log(base) - least) / span) * (to - from),
    ticks,
  };
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
