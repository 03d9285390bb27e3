/** How a cost grows with a size: panels side by side, each with a line for every program, both axes logarithmic. Pure. */
import { formatNumber } from './statistics.js';
import { colourOf, frame, label, legend, logAxis, round, rule } from './svg.js';

export interface Line {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}

export interface GrowthPlot {
  readonly title: string;
  readonly xTitle: string;
  /** 1024 for sizes of files. */
  readonly xBase: number;
  readonly formatX: (x: number) => string;
  readonly panels: readonly Panel[];
}

const panelWidth = 330;
const panelHeight = 240;
const left = 56;
const gap = 24;
const top = 84;

export function drawGrowth(plot: GrowthPlot): string {
  const width = plot.panels.length * (panelWidth + gap) + 16;
  const height = top + panelHeight + 52;
  const names = [...new Set(plot.panels.flatMap(({ lines }) => lines.map(({ name }) => name)))];
  return frame(width, height, plot.title, [
    label(plot.title, 16, 22),
    legend(names, 16, 46),
    ...plot.panels.flatMap((panel, index) => drawPanel(plot, panel, names, 16 + index * (panelWidth + gap))),
  ]);
}

function drawPanel(plot: GrowthPlot, panel: Panel, names: readonly string[], x: number): string[] {
  const points = panel.lines.flatMap((line) => line.points);
  const bottom = top + panelHeight;
  const across = logAxis(
    points.map((point) => point.x),
    x + left,
    x + panelWidth,
    plot.xBase,
  );
  const up = logAxis(
    points.map((point) => point.y),
    bottom,
    top,
  );
  return [
    label(panel.title, x, top - 14),
    ...up.ticks.flatMap((tick) => [
      rule(x + left, up.place(tick), x + panelWidth, up.place(tick)),
      label(formatTick(tick), x + left - 6, up.place(tick) + 4, 'end'),
    ]),
    ...across.ticks.flatMap((tick) => [
      rule(across.place(tick), top, across.place(tick), bottom),
      label(plot.formatX(tick), across.place(tick), bottom + 18, 'middle'),
    ]),
    label(plot.xTitle, x + left + (panelWidth - left) / 2, bottom + 38, 'middle'),
    ...panel.lines.flatMap(({ name, points: own }) => {
      const colour = colourOf(names.indexOf(name));
      const placed = own.map((point) => `${round(across.place(point.x))},${round(up.place(point.y))}`);
      return [
        `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${placed.join(' ')}"/>`,
        ...placed.map((place) => {
          const [cx = '', cy = ''] = place.split(',');
          return `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`;
        }),
      ];
    }),
  ];
}

function formatTick(tick: number): string {
  return tick < 1 ? formatNumber(tick).replace(/0+$/, '') : String(tick);
}
