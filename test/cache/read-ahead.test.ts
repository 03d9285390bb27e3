import test from 'ava';
import type { ByteRange } from '../../src/cache/block-range.js';
import {
  maxFetchBytes,
  planReadAhead,
  type ReadAheadLimits,
  type ReadAheadPlan,
  type ReadAheadState,
} from '../../src/cache/read-ahead.js';
import { fc } from '../seed.js';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const requestBytes = 128 * kibibyte;

const limits: ReadAheadLimits = {
  size: 1024 * mebibyte,
  blockBytes: 128 * kibibyte,
  maxWindowBytes: 32 * mebibyte,
  fetchesPerWindow: 4,
  startWindowBytes: 512 * kibibyte,
};

function plansFor(requests: readonly ByteRange[], given = limits, isMiss = false): ReadAheadPlan[] {
  let state: ReadAheadState | undefined;
  return requests.map((request) => {
    const plan = planReadAhead(state, { ...request, isMiss }, given);
    state = plan.state;
    return plan;
  });
}

function sequence(start: number, count: number, length = requestBytes, step = length): ByteRange[] {
  return Array.from({ length: count }, (_, index) => ({ offset: start + index * step, length }));
}

function plannedBytes(plans: readonly ReadAheadPlan[]): number {
  return plans.flatMap(({ fetches }) => fetches).reduce((sum, { length }) => sum + length, 0);
}

test('a read at the start gets a small window at once', (t) => {
  const [plan] = plansFor(sequence(0, 1));
  t.deepEqual(plan?.fetches, [{ offset: 128 * kibibyte, length: 512 * kibibyte }]);
});

test('a read in the middle gets nothing, and the one that follows it does', (t) => {
  const [first, next] = plansFor(sequence(100 * mebibyte, 2));
  t.deepEqual(first?.fetches, []);
  t.deepEqual(next?.fetches, [{ offset: 100 * mebibyte + 256 * kibibyte, length: 512 * kibibyte }]);
});

test('the window grows with what was read, up to its limit', (t) => {
  const windows = plansFor(sequence(0, 256)).map(({ windowBytes }) => windowBytes);
  t.is(windows[7], 2 * mebibyte);
  t.is(windows[63], 16 * mebibyte);
  t.is(windows[255], 32 * mebibyte);
});

test('with the whole window, GETs have their largest size and several are ahead', (t) => {
  const plans = plansFor(sequence(0, 1024));
  const late = plans.slice(512).flatMap(({ fetches }) => fetches);
  t.true(late.length > 0);
  t.true(late.every(({ length }) => length === maxFetchBytes));
  const last = plans.at(-1)!.state;
  t.true(last.plannedEnd - last.runEnd >= 28 * mebibyte);
});

test('a small window is fetched in as many parts as it is to be, and while one is used up the others are ahead', (t) => {
  for (const fetchesPerWindow of [1, 2, 4]) {
    const given = { ...limits, maxWindowBytes: 4 * mebibyte, fetchesPerWindow };
    const plans = plansFor(sequence(0, 512), given);
    const late = plans.slice(256).flatMap(({ fetches }) => fetches);
    t.true(late.length > 0);
    t.true(late.every(({ length }) => length === (4 * mebibyte) / fetchesPerWindow));
    const ahead = plans.slice(256).map(({ state }) => state.plannedEnd - state.runEnd);
    t.true(Math.min(...ahead) >= 4 * mebibyte * (1 - 1 / fetchesPerWindow));
    t.true(Math.max(...ahead) <= 4 * mebibyte);
  }
});

test('what is ahead of a sequential reader is planned once, without gaps', (t) => {
  const plans = plansFor(sequence(0, 2048));
  let end = requestBytes;
  for (const { offset, length } of plans.flatMap(({ fetches }) => fetches)) {
    t.is(offset, end);
    end = offset + length;
  }
});

test('nothing is planned past the end, and the rest before it is not left out', (t) => {
  const size = 10 * mebibyte + 12_345;
  const fetches = plansFor(sequence(0, 81), { ...limits, size }).flatMap((plan) => plan.fetches);
  const last = fetches.at(-1)!;
  t.is(last.offset + last.length, size);
  t.is(requestBytes + fetches.reduce((sum, { length }) => sum + length, 0), size);
});

test('requests in flight together may arrive out of order', (t) => {
  const order = [1, 0, 2, 5, 3, 4, 7, 6];
  const requests = Array.from({ length: 32 }, (_, group) =>
    order.map((place) => ({ offset: (group * 8 + place) * requestBytes, length: requestBytes })),
  ).flat();
  const plans = plansFor(requests);
  t.is(plans.filter(({ isNewRun }) => isNewRun).length, 1);
  t.true(plans.at(-1)!.state.plannedEnd - plans.at(-1)!.state.runEnd >= 24 * mebibyte);
});

test('two positions that take turns on one handle are random', (t) => {
  const requests = sequence(0, 50).flatMap((request, index) => [
    { offset: 200 * mebibyte + index * requestBytes, length: requestBytes },
    { offset: request.offset + 100 * mebibyte, length: requestBytes },
  ]);
  t.is(plannedBytes(plansFor(requests)), 0);
});

test('a reader that goes backwards gets nothing', (t) => {
  t.is(plannedBytes(plansFor(sequence(100 * mebibyte, 100, requestBytes, -requestBytes))), 0);
});

test('a reader that skips most of what it passes gets little', (t) => {
  const plans = plansFor(sequence(100 * mebibyte, 200, 4 * kibibyte, 256 * kibibyte));
  t.true(plannedBytes(plans) <= 200 * 4 * kibibyte * 2, `${plannedBytes(plans)} bytes`);
});

test('a jump begins a new run without a window', (t) => {
  const plans = plansFor([...sequence(0, 200), { offset: 500 * mebibyte, length: requestBytes }]);
  t.true(plans.at(-1)!.isNewRun);
  t.deepEqual(plans.at(-1)!.fetches, []);
});

test('a read that misses what was planned for it plans it again from there', (t) => {
  const plans = plansFor(sequence(0, 100));
  const request = { offset: 100 * requestBytes, length: requestBytes, isMiss: true };
  const [again] = planReadAhead(plans.at(-1)!.state, request, limits).fetches;
  t.is(again?.offset, 101 * requestBytes);
});

test('a window smaller than a block is none', (t) => {
  t.is(plannedBytes(plansFor(sequence(0, 100), { ...limits, maxWindowBytes: limits.blockBytes - 1 })), 0);
});

test('small sequential reads fill blocks and are read ahead as well', (t) => {
  const plans = plansFor(sequence(0, 4096, 4096));
  t.true(plans.at(-1)!.state.plannedEnd - plans.at(-1)!.state.runEnd >= 24 * mebibyte);
});

const anyRequest = fc.record({
  jump: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.integer({ min: -40, max: 40 })),
  length: fc.constantFrom(1, 4096, 100_000, requestBytes, mebibyte),
});

test('whatever is read, no more is planned than three times as much, and 512 KiB for each start at 0', (t) => {
  fc.assert(
    fc.property(fc.array(anyRequest, { maxLength: 200 }), fc.nat(40 * mebibyte), (steps, start) => {
      let position = start;
      let readBytes = 0;
      let startCount = 0;
      let state: ReadAheadState | undefined;
      let planned = 0;
      for (const { jump, length } of steps) {
        const offset = Math.min(Math.max(0, position + jump * 64 * kibibyte), limits.size - length);
        const plan = planReadAhead(state, { offset, length, isMiss: false }, limits);
        state = plan.state;
        readBytes += length;
        if (plan.isNewRun && offset === 0) startCount += 1;
        position = offset + length;
        for (const fetch of plan.fetches) {
          t.is(fetch.offset % limits.blockBytes, 0);
          t.true(fetch.length > 0 && fetch.length <= maxFetchBytes);
          t.true(fetch.offset + fetch.length <= limits.size);
          planned += fetch.length;
        }
        t.true(state.plannedEnd >= state.runEnd && state.holeBytes >= 0);
      }
      t.true(planned <= 3 * readBytes + startCount * 512 * kibibyte, `${planned} for ${readBytes}`);
    }),
  );
});
