/**
 * Random changes, commits and failures on a staged file against a plain buffer, with limits so small that chunks are spilled
 * and given up, uploads are streamed, and patches are put together from copies all the time.
 */
import os from 'node:os';
import test from 'ava';
import { StagedFile } from '../../src/staging/staged-file.js';
import { StagingArea } from '../../src/staging/staging-area.js';
import { Limiter } from '../../src/concurrency/limiter.js';
import { FsError, StoreError } from '../../src/errors.js';
import type { ObjectVersion } from '../../src/object-version.js';
import { MemoryObjectStore, type StoreMethod } from '../object-store/memory-object-store.js';
import { fc } from '../seed.js';
import { ownerOf } from './staging.js';
import { StoreReader } from './store-reader.js';
import { silentLog } from '../silent-log.js';

const key = 'file';
const otherSize = 900;
const maxSize = 2400;

type Step =
  | { readonly kind: 'write'; readonly offset: number; readonly length: number; readonly fill: number }
  | { readonly kind: 'append'; readonly length: number; readonly fill: number }
  | { readonly kind: 'truncate'; readonly size: number }
  | { readonly kind: 'zero'; readonly offset: number; readonly length: number }
  | { readonly kind: 'copy'; readonly offset: number; readonly from: number; readonly length: number }
  | { readonly kind: 'read'; readonly offset: number; readonly length: number }
  | { readonly kind: 'headers'; readonly mode: number }
  | { readonly kind: 'commit' }
  | { readonly kind: 'interrupt'; readonly length: number; readonly fill: number; readonly turns: number }
  | { readonly kind: 'stage' }
  | { readonly kind: 'detach' }
  | { readonly kind: 'fail'; readonly method: StoreMethod; readonly times: number };

const offset = fc.integer({ min: 0, max: maxSize - 700 });
const length = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 40 }) },
  fc.integer({ min: 1, max: 700 }),
);
const fill = fc.integer({ min: 1, max: 255 });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('write' as const), offset, length, fill }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('append' as const), length, fill }) },
  fc.record({ kind: fc.constant('truncate' as const), size: fc.integer({ min: 0, max: maxSize }) }),
  fc.record({ kind: fc.constant('zero' as const), offset, length }),
  fc.record({
    kind: fc.constant('copy' as const),
    offset,
    from: fc.integer({ min: 0, max: otherSize - 1 }),
    length,
  }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), offset, length }) },
  fc.record({ kind: fc.constant('headers' as const), mode: fc.integer({ min: 0, max: 2 }) }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('commit' as const) }) },
  fc.record({
    kind: fc.constant('interrupt' as const),
    length,
    fill,
    turns: fc.integer({ min: 0, max: 12 }),
  }),
  fc.record({ kind: fc.constant('stage' as const) }),
  fc.record({ kind: fc.constant('detach' as const) }),
  fc.record({
    kind: fc.constant('fail' as const),
    method: fc.constantFrom<StoreMethod>(
      'put',
      'createUpload',
      'uploadPart',
      'uploadPartCopy',
      'completeUpload',
      'copy',
      'get',
    ),
    times: fc.integer({ min: 1, max: 3 }),
  }),
);

interface Scenario {
  readonly baseSize: number;
  readonly spillBytes: number;
  readonly memoryChunks: number;
  readonly heldBytes: number;
  readonly steps: readonly Step[];
}

const scenario: fc.Arbitrary<Scenario> = fc.record({
  baseSize: fc.constantFrom(0, 1, 90, 500, 1500),
  spillBytes: fc.constantFrom(0, 256, 100_000),
  memoryChunks: fc.constantFrom(4, 9, 100),
  heldBytes: fc.constantFrom(32, 100, 1_000_000),
  steps: fc.array(step, { minLength: 1, maxLength: 30, size: 'max' }),
});

class Run {
  readonly store = new MemoryObjectStore({
    minPartSize: 60,
    maxPartSize: 700,
    maxParts: 14,
    maxObjectSize: 8000,
  });
  readonly area: StagingArea;
  readonly file: StagedFile;
  readonly signal = new AbortController().signal;
  readonly other: ObjectVersion;
  readonly otherBytes = pattern(otherSize, 7);
  model: Buffer;
  mode = 0;

  constructor({ baseSize, spillBytes, memoryChunks, heldBytes }: Scenario) {
    this.area = new StagingArea({
      memoryBytes: memoryChunks * 64,
      chunkBytes: 64,
      spillBytes,
      spillDirectory: os.tmpdir(),
      log: silentLog,
    });
    this.other = {
      key: 'other',
      size: otherSize,
      etag: this.store.putForeign('other', this.otherBytes),
    };
    this.model = pattern(baseSize, 3);
    const base =
      baseSize === 0
        ? undefined
        : { key, size: baseSize, etag: this.store.putForeign(key, this.model, { metadata: { mode: '0' } }) };
    this.file = new StagedFile({
      area: this.area,
      reader: new StoreReader(this.store),
      store: this.store,
      uploads: new Limiter({ maxTasks: 3, maxBytes: 300 }),
      base,
      owner: ownerOf(() => {
        const etag = this.file.base?.etag;
        this.#targetCalls += 1;
        return {
          key,
          headers: { metadata: { mode: String(this.mode) } },
          condition: etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag },
        };
      }),
      log: silentLog,
      streamingThresholdBytes: 0,
      putBytes: 100,
      partBytes: 128,
      copyPartBytes: 200,
      heldBytes,
    });
  }

  async take(step: Step): Promise<void> {
    const { file, signal, store } = this;
    switch (step.kind) {
      case 'write':
        return this.write(step.offset, pattern(step.length, step.fill));
      case 'append': {
        const bytes = pattern(Math.min(step.length, maxSize - this.model.length), step.fill);
        return this.write(this.model.length, bytes);
      }
      case 'truncate':
        if (await this.mayFail(file.truncate(step.size, signal))) this.resize(step.size);
        return;
      case 'zero':
        if (await this.mayFail(file.zeroRange(step.offset, step.length, signal))) {
          const end = Math.min(step.offset + step.length, this.model.length);
          if (end > step.offset) this.model.fill(0, step.offset, end);
        }
        return;
      case 'copy': {
        const length = Math.min(step.length, otherSize - step.from);
        const source = { version: this.other, offset: step.from };
        if (await this.mayFail(file.insertCopy({ offset: step.offset, length }, () => source, signal))) {
          this.overlay(step.offset, this.otherBytes.subarray(step.from, step.from + length));
        }
        return;
      }
      case 'read':
        await this.mayFail(this.compare(step.offset, step.length));
        return;
      case 'headers':
        this.mode = step.mode;
        return;
      case 'commit':
        if (await this.mayFail(file.commit(signal))) this.checkStored();
        return;
      case 'interrupt':
        return this.interrupt(
          pattern(Math.min(step.length, maxSize - this.model.length), step.fill),
          step.turns,
        );
      case 'stage':
        if (!(await this.mayFail(file.stage(this.other, signal)))) return;
        if (file.hasCopiedFrom(this.other)) throw new Error('bytes are still to come from the other object');
        await this.mayFail(this.compare(0, maxSize));
        return;
      case 'detach':
        if (!(await this.mayFail(file.detach(signal)))) return;
        store.objects.delete(key);
        return this.compare(0, maxSize);
      case 'fail':
        store.failNext(step.method, 'ServerError', step.times);
        return;
    }
  }

  async finish(): Promise<void> {
    const { file, signal, store } = this;
    store.beforeRequest = () => undefined;
    await this.compare(0, maxSize);
    await file.commit(signal);
    this.checkStored();
    if (file.isDirty) throw new Error('dirty after a commit');
    await this.compare(0, maxSize);
    await file.discard();
    this.area.checkInvariants();
    await this.area.stop();
    const { memoryBytes, spilledBytes, waiting } = this.area.statistics();
    if (memoryBytes + spilledBytes + waiting > 0) throw new Error('something is left in the staging area');
    if (store.uploads.size > 0) throw new Error('an upload is left in the bucket');
  }

  async compare(from: number, length: number): Promise<void> {
    const bytes = Buffer.concat(await this.file.read({ offset: from, length }, this.signal));
    if (!bytes.equals(this.model.subarray(from, from + length))) throw new Error('wrong bytes are read');
    if (this.file.size !== this.model.length) throw new Error('wrong size');
  }

  checkStored(): void {
    const stored = this.store.objects.get(key);
    if (!stored || !this.model.equals(stored.bytes)) throw new Error('wrong bytes are stored');
    const { base } = this.file;
    if (base?.etag !== stored.info.etag || base.size !== stored.info.size) throw new Error('wrong version');
    const isCurrent = stored.info.metadata['mode'] === String(this.mode);
    if (!isCurrent && this.#targetCalls > this.#callsBefore) throw new Error('wrong headers');
  }

  #targetCalls = 0;
  #callsBefore = 0;

  /**
   * A commit without changes does not ask for the headers; nor does one that only waits for an earlier one, whose own wait
   * was interrupted and which took the headers that were current then.
   */
  beginStep(): void {
    this.#callsBefore = this.#targetCalls;
  }

  /** A commit and a write behind it, both interrupted after a while. */
  async interrupt(bytes: Buffer, turns: number): Promise<void> {
    const controller = new AbortController();
    const committing = this.mayFail(this.file.commit(controller.signal));
    const writing = this.write(this.model.length, bytes, controller.signal);
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    await Promise.all([committing, writing]);
  }

  async write(at: number, bytes: Buffer, signal = this.signal): Promise<void> {
    // As the file system does.
    const isWritten = this.file.isDirty && !signal.aborted && this.file.tryWrite(at, bytes);
    if (isWritten || (await this.mayFail(this.file.write(at, bytes, signal)))) {
      this.overlay(at, bytes);
      return;
    }
    // Some first part of the bytes was written.
    const before = this.model;
    this.store.beforeRequest = () => undefined;
    const now = Buffer.concat(await this.file.read({ offset: 0, length: maxSize }, this.signal));
    for (let written = 0; written <= bytes.length; written++) {
      this.model = Buffer.from(before);
      if (written > 0) this.overlay(at, bytes.subarray(0, written));
      if (this.model.equals(now)) return;
    }
    throw new Error('a failed write did something else than a part of it');
  }

  overlay(at: number, bytes: Uint8Array): void {
    if (at + bytes.length > this.model.length && bytes.length > 0) this.resize(at + bytes.length);
    this.model.set(bytes, at);
  }

  resize(size: number): void {
    const grown = Buffer.alloc(size);
    this.model.copy(grown);
    this.model = grown;
  }

  /** False if it failed as it may: on demand, or because there is no room. */
  async mayFail(work: Promise<unknown>): Promise<boolean> {
    try {
      await work;
      return true;
    } catch (error) {
      if (error instanceof StoreError && ['ServerError', 'Aborted'].includes(error.code)) return false;
      if (error instanceof FsError && error.code === 'ENOSPC') return false;
      throw error;
    }
  }
}

const onceFailed: readonly Scenario[] = [
  {
    // Parts were cut off while they were sent, and then the others were kept on the server only.
    baseSize: 0,
    spillBytes: 256,
    memoryChunks: 4,
    heldBytes: 1_000_000,
    steps: [
      { kind: 'write', offset: 1178, length: 1, fill: 1 },
      { kind: 'commit' },
      { kind: 'copy', offset: 0, from: 0, length: 129 },
      { kind: 'append', length: 421, fill: 1 },
      { kind: 'truncate', size: 1345 },
      { kind: 'stage' },
      { kind: 'write', offset: 739, length: 30, fill: 1 },
      { kind: 'zero', offset: 0, length: 1 },
    ],
  },
  {
    // A part that was cut through while it was sent came after the shorter one of its number.
    baseSize: 0,
    spillBytes: 0,
    memoryChunks: 4,
    heldBytes: 1_000_000,
    steps: [
      { kind: 'append', length: 26, fill: 1 },
      { kind: 'append', length: 2, fill: 1 },
      { kind: 'append', length: 597, fill: 1 },
      { kind: 'append', length: 16, fill: 1 },
      { kind: 'fail', method: 'put', times: 1 },
      { kind: 'truncate', size: 513 },
      { kind: 'stage' },
    ],
  },
  {
    // An interrupted commit had sent more parts of the tail than the next one planned.
    baseSize: 90,
    spillBytes: 0,
    memoryChunks: 9,
    heldBytes: 1_000_000,
    steps: [
      { kind: 'append', length: 294, fill: 1 },
      { kind: 'truncate', size: 1141 },
      { kind: 'interrupt', length: 11, fill: 1, turns: 10 },
      { kind: 'append', length: 358, fill: 1 },
      { kind: 'interrupt', length: 32, fill: 1, turns: 1 },
      { kind: 'append', length: 72, fill: 1 },
      { kind: 'interrupt', length: 50, fill: 1, turns: 0 },
      { kind: 'write', offset: 0, length: 1, fill: 1 },
    ],
  },
];

test('a staged file is what a buffer would be, whatever fails', async (t) => {
  await fc.assert(
    fc.asyncProperty(scenario, async (given) => {
      const run = new Run(given);
      try {
        for (const step of given.steps) {
          run.beginStep();
          await run.take(step);
          run.file.checkInvariants();
          run.area.checkInvariants();
        }
        run.beginStep();
        await run.finish();
      } finally {
        await run.area.stop();
      }
    }),
    {
      numRuns: Number(process.env['OSIRISFS_MODEL_RUNS'] ?? 300),
      examples: onceFailed.map((given) => [given]),
      includeErrorInReport: true,
    },
  );
  t.pass();
});

function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index++) bytes[index] = ((index * 31 + seed * 17) % 255) + 1;
  return bytes;
}
