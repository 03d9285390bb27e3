/** Writes what a run has measured into a directory, and prints the tables. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Environment } from './environment.js';
import { describeSetting, type SettingResults } from './measurements.js';
import { drawGrowthPlots } from './growth-plots.js';
import { mountOptions } from './mount-programs.js';
import type { BenchOptions } from './options.js';
import { canDropCaches } from './program-mount.js';
import type { Sizes } from './sizes.js';
import { drawRatios } from './ratio-plot.js';
import { countTargets, settingTables } from './table.js';

/** results.json. */
export interface Report {
  /** False if the run was interrupted, or is not over. */
  complete: boolean;
  readonly environment: Environment;
  readonly options: BenchOptions;
  readonly sizes: Sizes;
  readonly settings: SettingResults[];
  loadAtEnd: readonly number[];
}

/** Prints the tables too if there is somebody to say to that they are written. */
export async function writeReport(
  directory: string,
  report: Report,
  say?: (line: string) => void,
): Promise<void> {
  const json = { ...report, mountOptions, cold: describeCold() };
  await writeFile(path.join(directory, 'results.json'), `${JSON.stringify(json, undefined, 2)}\n`);
  const text = describeReport(report);
  await writeFile(path.join(directory, 'results.md'), text);
  const files = ['results.json', 'results.md'];
  for (const [name, svg] of Object.entries(drawPlots(report))) {
    await writeFile(path.join(directory, name), svg);
    files.push(name);
  }
  if (say === undefined) return;
  process.stdout.write(text);
  say(`written to ${directory}: ${files.join(', ')}`);
}

/** By name of the file. Settings with and without delay are not shown in one. */
function drawPlots({ settings }: Report): Record<string, string> {
  const plots: Record<string, string> = {};
  for (const delayMs of new Set(settings.map(({ setting }) => setting.delayMs))) {
    const svg = drawRatios(settings.filter(({ setting }) => setting.delayMs === delayMs));
    if (svg !== undefined) plots[delayMs === 0 ? 'ratios.svg' : `ratios-${delayMs}ms.svg`] = svg;
  }
  for (const results of settings) Object.assign(plots, drawGrowthPlots(results));
  return plots;
}

function describeReport(report: Report): string {
  const { environment, options, settings } = report;
  const versions = Object.entries(environment.versions).map(([name, version]) => `${name} \`${version}\``);
  const targets = settings.map((results) => {
    const { met, judged } = countTargets(results);
    return `${describeSetting(results.setting)}: ${met} of ${judged} targets met`;
  });
  return [
    `## Measured by scripts/bench${report.complete ? '' : ' (not complete)'}\n`,
    `Medians of ${options.rounds} rounds, scale ${options.scale}, begun ${environment.begun}. ${versions.join(', ')}. ` +
      `${environment.processors}, load ${environment.load.join(' ')} at the beginning, ${report.loadAtEnd.join(' ')} at the end. ` +
      `Cold: ${describeCold()}.\n`,
    ...Object.entries(mountOptions).map(([name, text]) => `- ${name}: ${text}`),
    '- curl: 8 requests in flight of 8 MiB each, no file system',
    '',
    ...targets.map((line) => `- ${line}`),
    '',
    ...settings.map(settingTables),
  ].join('\n');
}

function describeCold(): string {
  return canDropCaches
    ? "a new mount, and the kernel's caches dropped"
    : "a new mount; the kernel's caches could not be dropped, which only root may";
}
