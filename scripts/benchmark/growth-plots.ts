/** The plots of growth of a run, from the rows that are their points. Pure. */
import { drawGrowth, type GrowthPlot, type Line, type Panel } from './growth-plot.js';
import {
  growthPlots,
  mountPrograms,
  type Measured,
  type MountProgram,
  type Outcome,
  type SettingResults,
} from './measurements.js';
import { medianValue } from './ratios.js';
import { formatSize } from './statistics.js';

const frames: Readonly<
  Record<(typeof growthPlots)[number], Pick<GrowthPlot, 'title' | 'xTitle' | 'xBase' | 'formatX'>>
> = {
  size: { title: 'By the size of a file', xTitle: 'size of the file', xBase: 1024, formatX: formatSize },
  entries: {
    title: 'By the entries of a directory',
    xTitle: 'entries',
    xBase: 10,
    formatX: (x) => x.toLocaleString('en'),
  },
  readers: { title: 'By the number of parallel readers', xTitle: 'readers', xBase: 4, formatX: String },
};

/** By name of the file. A plot that has no point is left out. */
export function drawGrowthPlots(results: SettingResults): Record<string, string> {
  const plots: Record<string, string> = {};
  for (const plot of growthPlots) {
    const rows = results.measured.filter(({ growth }) => growth?.plot === plot);
    const panels = panelsOf(rows, results);
    if (panels.every(({ lines }) => lines.length === 0)) continue;
    plots[`growth-${plot}.svg`] = drawGrowth({ ...frames[plot], panels });
  }
  return plots;
}

/** One for each curve, and one for the highest memory in all of them. */
function panelsOf(rows: readonly Measured[], results: SettingResults): Panel[] {
  const curves = [...new Set(rows.map(({ growth }) => growth?.curve ?? ''))];
  const measuredPanels = curves.map((curve) => {
    const own = rows.filter(({ growth }) => growth?.curve === curve);
    return { title: `${curve}, ${own[0]?.unit ?? ''}`, lines: linesOf(own, results, medianValue) };
  });
  return [...measuredPanels, { title: 'resident memory, MiB', lines: linesOf(rows, results, highestMemory) }];
}

function linesOf(
  rows: readonly Measured[],
  { outcomes }: SettingResults,
  read: (outcome: Outcome | undefined) => number | undefined,
): Line[] {
  return mountPrograms
    .map((name) => ({ name, points: pointsOf(rows, name, outcomes, read) }))
    .filter(({ points }) => points.length > 0);
}

function pointsOf(
  rows: readonly Measured[],
  name: MountProgram,
  outcomes: SettingResults['outcomes'],
  read: (outcome: Outcome | undefined) => number | undefined,
): Line['points'] {
  const highest = new Map<number, number>();
  for (const { id, growth } of rows) {
    const y = read(outcomes[id]?.[name]);
    if (y !== undefined && growth) highest.set(growth.x, Math.max(y, highest.get(growth.x) ?? 0));
  }
  return [...highest].map(([x, y]) => ({ x, y }));
}

function highestMemory(outcome: Outcome | undefined): number | undefined {
  const values = (outcome?.samples ?? []).flatMap(({ residentBytes }) =>
    residentBytes === undefined ? [] : [residentBytes / 2 ** 20],
  );
  return values.length === 0 ? undefined : Math.max(...values);
}
