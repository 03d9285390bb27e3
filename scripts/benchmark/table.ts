/** The results as Markdown. Pure. */
import { describeSetting, type Outcome, type SettingResults } from './measurements.js';
import { judge, medianValue, ratioToPeer, type Verdict } from './ratios.js';
import { formatNumber, formatSize, median } from './statistics.js';

const columns = ['osirisfs', 's3fs', 'rclone', 'curl'] as const;

/** Both tables of one setting: speed with targets, and what the serving processes used. */
export function settingTables(results: SettingResults): string {
  return `### ${describeSetting(results.setting)}\n\n${speedTable(results)}\n\n${usageTable(results)}\n\n${describeHighest(results)}\n`;
}

/** Of osirisfs, in every job. */
const mostResidentBytes = 300 * 2 ** 20;

export function describeHighest({ measured, outcomes }: SettingResults): string {
  let highest = { bytes: 0, title: '' };
  for (const { id, title } of measured) {
    const bytes = Math.max(0, ...samplesOf(outcomes[id]?.osirisfs, 'residentBytes'));
    if (bytes > highest.bytes) highest = { bytes, title };
  }
  if (highest.bytes === 0) return '';
  const word = highest.bytes <= mostResidentBytes ? 'met' : '**missed**';
  return `Most memory of osirisfs: ${formatSize(highest.bytes)} (${highest.title}); ≤ ${formatSize(mostResidentBytes)}: ${word}`;
}

export function speedTable({ measured, outcomes }: SettingResults): string {
  const rows = measured.map((row) => {
    const found = outcomes[row.id] ?? {};
    const ratio = ratioToPeer(row.unit, found);
    return [
      `${row.title}, ${row.unit}`,
      ...columns.map((name) => describeOutcome(found[name])),
      ratio === undefined ? '–' : `${formatNumber(ratio)} ×`,
      describeVerdicts(judge(row, found)),
    ];
  });
  return markdownTable(['job', ...columns, 'to the better peer', 'target'], rows);
}

/** Resident memory at its highest, over all rounds, and processor seconds: for each GiB where content is what is moved. */
export function usageTable({ measured, outcomes }: SettingResults): string {
  const names = ['osirisfs', 's3fs', 'rclone'] as const;
  const rows = measured.map((row) => {
    const found = outcomes[row.id] ?? {};
    return [
      row.title,
      ...names.map((name) => describeMemory(found[name])),
      ...names.map((name) => describeProcessor(found[name])),
    ];
  });
  const head = ['job', ...names.map((name) => `${name}, MiB`), ...names.map((name) => `${name}, CPU s`)];
  return markdownTable(head, rows);
}

/** How many targets of a setting are met, of those that can be judged. */
export function countTargets({ measured, outcomes }: SettingResults): { met: number; judged: number } {
  const verdicts = measured.flatMap((row) => judge(row, outcomes[row.id] ?? {}));
  return {
    met: verdicts.filter((verdict) => verdict.met === true).length,
    judged: verdicts.filter((verdict) => verdict.met !== undefined).length,
  };
}

export function describeOutcome(outcome: Outcome | undefined): string {
  if (outcome === undefined) return '';
  const value = medianValue(outcome);
  const [failure = ''] = outcome.failures;
  if (value === undefined) return shorten(failure);
  return `${formatNumber(value)}${failure === '' ? '' : ` (${outcome.failures.length} of ${outcome.failures.length + outcome.samples.length} rounds: ${shorten(failure)})`}`;
}

function shorten(failure: string): string {
  // The whole text is in results.json.
  return failure.length > 60 ? `${failure.slice(0, 59)}…` : failure;
}

function describeVerdicts(verdicts: readonly Verdict[]): string {
  return verdicts
    .map(({ target, reached, met }) => {
      const name = target.against === 'absolute' ? '' : ` ${target.against}`;
      const sign = target.against === 'absolute' ? '' : ' ×';
      const is = reached === undefined ? '' : ` (${formatNumber(reached)})`;
      const word = met === undefined ? 'unknown' : met ? 'met' : '**missed**';
      return `≥ ${formatNumber(target.factor)}${sign}${name}: ${word}${is}`;
    })
    .join('; ');
}

function describeMemory(outcome: Outcome | undefined): string {
  const values = samplesOf(outcome, 'residentBytes');
  return values.length === 0 ? '' : (Math.max(...values) / 2 ** 20).toFixed(0);
}

function describeProcessor(outcome: Outcome | undefined): string {
  const spent = median(samplesOf(outcome, 'processorSeconds'));
  if (spent === undefined) return '';
  const content = outcome?.samples[0]?.contentBytes;
  if (content === undefined) return formatNumber(spent);
  return `${formatNumber(spent)} (${formatNumber((spent / content) * 2 ** 30)} per GiB)`;
}

function samplesOf(outcome: Outcome | undefined, name: 'residentBytes' | 'processorSeconds'): number[] {
  return (outcome?.samples ?? []).map((sample) => sample[name]).filter((value) => value !== undefined);
}

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
