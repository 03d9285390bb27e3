import test from 'ava';
import type { Measured, Outcome } from '../../scripts/benchmark/measurements.js';
import { betterPeer, judge, medianValue, ratioToPeer } from '../../scripts/benchmark/ratios.js';

const of = (...values: number[]): Outcome => ({ samples: values.map((value) => ({ value })), failures: [] });
const failed: Outcome = { samples: [], failures: ['> 60 s'] };

function row(unit: 's' | 'MiB/s', against: Measured['targets'][number]['against'], factor: number): Measured {
  return { id: 'row', title: 'row', unit, targets: [{ against, factor }] };
}

test('the better peer is the one with fewer seconds, or with more throughput', (t) => {
  const outcomes = { s3fs: of(2), rclone: of(8) };
  t.is(betterPeer('s', outcomes), 2);
  t.is(betterPeer('MiB/s', outcomes), 8);
});

test('a peer that fails is not the better one', (t) => {
  t.is(betterPeer('s', { s3fs: failed, rclone: of(8) }), 8);
  t.is(betterPeer('s', { s3fs: failed, rclone: failed }), undefined);
});

test('a ratio says how many times as fast osirisfs is, whatever the unit', (t) => {
  t.is(ratioToPeer('s', { osirisfs: of(2), s3fs: of(6) }), 3);
  t.is(ratioToPeer('MiB/s', { osirisfs: of(6), s3fs: of(2) }), 3);
  t.is(ratioToPeer('s', { osirisfs: of(2) }), undefined);
});

test('a ratio is one of medians', (t) => {
  t.is(medianValue(of(1, 100, 2)), 2);
  t.is(ratioToPeer('s', { osirisfs: of(1, 100, 2), rclone: of(4, 5, 90) }), 2.5);
});

test('a target is met at its factor and missed below', (t) => {
  const outcomes = { osirisfs: of(10), s3fs: of(20), rclone: of(15), curl: of(9) };
  const met = (against: Measured['targets'][number]['against'], factor: number): boolean | undefined =>
    judge(row('s', against, factor), outcomes)[0]?.met;
  t.true(met('s3fs', 2));
  t.false(met('s3fs', 2.1));
  t.true(met('peer', 1.5));
  t.false(met('rclone', 1.6));
  t.true(met('curl', 0.9));
  t.false(met('curl', 0.95));
});

test('an absolute target is the most seconds, or the least throughput', (t) => {
  t.true(judge(row('s', 'absolute', 10), { osirisfs: of(9) })[0]?.met);
  t.false(judge(row('s', 'absolute', 10), { osirisfs: of(11) })[0]?.met);
  t.true(judge(row('MiB/s', 'absolute', 10), { osirisfs: of(11) })[0]?.met);
  t.false(judge(row('MiB/s', 'absolute', 10), { osirisfs: of(9) })[0]?.met);
});

test('a target is met against a program that fails, missed if osirisfs does, and open without a measurement', (t) => {
  const met = (outcomes: Parameters<typeof judge>[1]): boolean | undefined =>
    judge(row('s', 's3fs', 2), outcomes)[0]?.met;
  t.true(met({ osirisfs: of(1), s3fs: failed }));
  t.false(met({ osirisfs: failed, s3fs: of(1) }));
  t.is(met({ osirisfs: of(1) }), undefined);
  t.is(met({ s3fs: of(1) }), undefined);
});
