import { XMLParser } from 'fast-xml-parser';
import test from 'ava';
import type { Outcome, SettingResults } from '../../scripts/benchmark/measurements.js';
import { drawGrowth } from '../../scripts/benchmark/growth-plot.js';
import { drawGrowthPlots } from '../../scripts/benchmark/growth-plots.js';
import { drawRatios } from '../../scripts/benchmark/ratio-plot.js';
import { logAxis } from '../../scripts/benchmark/svg.js';

/** As far as a count of tags and a parser that forgives much can tell. */
function isWellFormed(svg: string): boolean {
  const tags = (svg.match(/<[a-z]+/g) ?? []).length;
  const ends = (svg.match(/<\/[a-z]+>|\/>/g) ?? []).length;
  const parsed = new XMLParser().parse(svg) as unknown;
  return tags === ends && typeof parsed === 'object' && parsed !== null && 'svg' in parsed;
}

const of = (value: number): Outcome => ({ samples: [{ value }], failures: [] });

const results: SettingResults = {
  setting: { nodelay: 1, delayMs: 0 },
  measured: [
    { id: 'in', title: 'files <in> & out', unit: 's', targets: [{ against: 'peer', factor: 10 }] },
    { id: 'find', title: 'find', unit: 's', targets: [] },
  ],
  outcomes: { in: { osirisfs: of(1), s3fs: of(4), rclone: of(8) }, find: { osirisfs: of(1), s3fs: of(1) } },
};

test('a logarithmic axis goes from one power to another, and has all values between', (t) => {
  const { place, ticks } = logAxis([0.3, 40], 100, 400);
  t.deepEqual(
    ticks.map((tick) => Math.round(tick * 10) / 10),
    [0.1, 1, 10, 100],
  );
  t.is(Math.round(place(0.1)), 100);
  t.is(Math.round(place(1)), 200);
  t.is(Math.round(place(100)), 400);
});

test('an axis of one value, or of none, is one as well', (t) => {
  t.deepEqual(logAxis([10], 0, 100).ticks, [10, 100]);
  t.deepEqual(logAxis([], 0, 100).ticks, []);
  t.deepEqual(logAxis([0], 0, 100).ticks, []);
});

test('the plot of ratios shows the jobs that have a target, each with its ratio', (t) => {
  const svg = drawRatios([results]) ?? '';
  t.true(isWellFormed(svg));
  t.regex(svg, />files &lt;in&gt; &amp; out</);
  t.regex(svg, />4\.00 ×</);
  t.notRegex(svg, />find</);
});

test('there is no plot without a ratio', (t) => {
  t.is(drawRatios([]), undefined);
  t.is(drawRatios([{ ...results, outcomes: {} }]), undefined);
});

test('a job that has no figure says so', (t) => {
  const second = { ...results, outcomes: {} };
  t.regex(drawRatios([results, second]) ?? '', />no figure</);
});

test('the points of growth become plots by their kind, with memory beside them', (t) => {
  const row = (x: number) => ({
    ...{ id: `read-${x}`, title: `read ${x}`, unit: 's', targets: [] },
    growth: { plot: 'readers', curve: 'read', x },
  });
  const samples = [{ value: 3, residentBytes: 2 ** 26 }];
  const outcomes = { 'read-1': { osirisfs: { samples, failures: [] } }, 'read-2': { osirisfs: of(4) } };
  const plots = drawGrowthPlots({
    ...results,
    measured: [row(1), row(2)] as SettingResults['measured'],
    outcomes,
  });
  t.deepEqual(Object.keys(plots), ['growth-readers.svg']);
  // Two points of time and one of memory.
  t.is(plots['growth-readers.svg']?.match(/<circle/g)?.length, 3);
});

test('a plot of growth has a line for each program in each panel', (t) => {
  const points = [
    { x: 1, y: 2 },
    { x: 1024, y: 20 },
  ];
  const lines = [
    { name: 'osirisfs', points },
    { name: 's3fs', points },
  ];
  const panel = { title: 'write', lines };
  const svg = drawGrowth({
    title: 'growth',
    xTitle: 'size',
    xBase: 1024,
    formatX: String,
    panels: [panel, panel],
  });
  t.true(isWellFormed(svg));
  t.is(svg.match(/<polyline/g)?.length, 4);
  t.is(svg.match(/<circle/g)?.length, 8);
});
