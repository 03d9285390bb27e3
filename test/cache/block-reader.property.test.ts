/** Random use of the object reader by several streams, over a store that answers in any order and fails at times. */
import test, { type ExecutionContext } from 'ava';
import { StoreError } from '../../src/errors.js';
import type { GetReply, GetRequest } from '../../src/object-store.js';
import type { ObjectVersion } from '../../src/object-version.js';
import { blockOverheadBytes } from '../../src/cache/block-memory.js';
import { BlockReader, type ReadStream } from '../../src/cache/block-reader.js';
import { ReadMemory } from '../../src/cache/read-memory.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { turnsUntil } from '../patience.js';
import { fc } from '../seed.js';
import { patternOf } from './pattern.js';
import { silentLog } from '../silent-log.js';

const blockBytes = 4096;
const cacheBytes = 100 * (blockBytes + blockOverheadBytes);
const maxConcurrentFetches = 4;

type Step =
  | {
      readonly kind: 'read';
      readonly stream: number;
      readonly object: number;
      readonly at: number;
      readonly length: number;
    }
  | { readonly kind: 'continue'; readonly stream: number; readonly length: number }
  | { readonly kind: 'abort'; readonly read: number }
  | { readonly kind: 'close'; readonly stream: number }
  | { readonly kind: 'replace' | 'drop' | 'seed' | 'relabel'; readonly object: number; readonly at: number }
  | { readonly kind: 'fail' | 'settle' };

const anyLength = fc.constantFrom(1, 100, blockBytes, 3 * blockBytes, 32 * blockBytes);
const anyObject = fc.nat(2);
const anyStream = fc.nat(3);
const anyAt = fc.nat(999);

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      stream: anyStream,
      object: anyObject,
      at: anyAt,
      length: anyLength,
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constant('continue' as const), stream: anyStream, length: anyLength }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('abort' as const), read: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('close' as const), stream: anyStream }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('replace' as const, 'drop' as const, 'seed' as const, 'relabel' as const),
      object: anyObject,
      at: anyAt,
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('fail' as const, 'settle' as const) }) },
);

/** Answers after a few turns, in any order; checks that no block is fetched twice at once. */
class DisorderlyStore extends MemoryObjectStore {
  readonly #rangesInFlight = new Set<{
    readonly key: string;
    readonly etag: string | undefined;
    readonly offset: number;
    readonly end: number;
  }>();
  readonly violations: string[] = [];
  #random: number;

  constructor(seed: number) {
    super();
    this.#random = seed + 1;
    this.beforeRequest = async () => {
      for (let turns = this.#next() % 6; turns > 0; turns -= 1) await nextTurn();
    };
  }

  override async get(request: GetRequest, signal: AbortSignal): Promise<GetReply> {
    const { key } = request;
    const { offset, length } = request.range ?? { offset: 0, length: Infinity };
    const range = { key, etag: request.ifMatch, offset, end: offset + length };
    for (const other of this.#rangesInFlight) {
      const isSame = other.key === key && other.etag === range.etag;
      if (isSame && other.offset < range.end && range.offset < other.end) {
        this.violations.push(`${key}: ${offset} is fetched twice at once`);
      }
    }
    if (this.#rangesInFlight.size >= maxConcurrentFetches) this.violations.push('too many fetches at once');
    this.#rangesInFlight.add(range);
    signal.addEventListener('abort', () => this.#rangesInFlight.delete(range));
    try {
      return await super.get(request, signal);
    } finally {
      this.#rangesInFlight.delete(range);
    }
  }

  #next(): number {
    return (this.#random = (this.#random * 48271) % 2147483647);
  }
}

interface StoredVersion {
  readonly version: ObjectVersion;
  readonly content: Buffer;
}

class Session {
  readonly #t: ExecutionContext;
  readonly #store: DisorderlyStore;
  readonly #memory = new ReadMemory({ cacheBytes, maxConcurrentFetches });
  readonly #reader: BlockReader;
  readonly #objects: StoredVersion[];
  readonly #streams: { stream: ReadStream; object: StoredVersion; position: number }[];
  readonly #reads: { readonly abort: AbortController; readonly done: Promise<void> }[] = [];
  #nextName = 0;

  constructor(t: ExecutionContext, seed: number) {
    this.#t = t;
    this.#store = new DisorderlyStore(seed);
    this.#reader = new BlockReader({
      store: this.#store,
      memory: this.#memory,
      blockBytes,
      maxReadAheadBytes: 40 * blockBytes,
      log: silentLog,
    });
    this.#objects = [50_000, 1_200_000, 3_000_001].map((size, index) => this.#put(`object-${index}`, size));
    this.#streams = [0, 1, 2, 2].map((index) => ({
      stream: this.#reader.createStream(),
      object: this.#object(index),
      position: 0,
    }));
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      await this.#take(step);
      this.#check();
    }
    for (const { stream } of this.#streams) this.#reader.closeStream(stream);
    await Promise.all(this.#reads.map(({ done }) => done));
    await this.#settle();
    this.#check();
    this.#t.is(this.#memory.statistics().fetchesInFlight, 0);
    this.#t.deepEqual(this.#store.violations, []);
  }

  async #take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'read': {
        const stream = this.#stream(step.stream);
        stream.object = this.#object(step.object);
        stream.position = Math.floor((stream.object.content.length * step.at) / 1000);
        this.#read(step.stream, step.length);
        break;
      }
      case 'continue':
        this.#read(step.stream, step.length);
        break;
      case 'abort':
        this.#reads.at(-1 - step.read)?.abort.abort();
        break;
      case 'close': {
        const used = this.#stream(step.stream);
        this.#reader.closeStream(used.stream);
        used.stream = this.#reader.createStream();
        break;
      }
      case 'replace':
        this.#replace(step.object, this.#object(step.object).content.length);
        break;
      case 'drop':
        this.#reader.drop(this.#object(step.object).version.key);
        break;
      case 'seed': {
        const { version, content } = this.#object(step.object);
        const offset = Math.floor((content.length * step.at) / 1000);
        this.#reader.seed(version, offset, content.subarray(offset, offset + 100_000));
        break;
      }
      case 'relabel': {
        const { version, content } = this.#object(step.object);
        const key = `renamed-${this.#nextName++}`;
        const renamed = { key, etag: this.#store.putForeign(key, content), size: content.length };
        this.#reader.relabel(version, renamed);
        this.#objects[step.object] = { version: renamed, content };
        break;
      }
      case 'fail':
        this.#store.failNext('get', 'ServerError');
        break;
      case 'settle':
        await this.#settle();
        break;
    }
  }

  /** Begins a read where the stream is, without waiting for it. */
  #read(index: number, length: number): void {
    const used = this.#stream(index);
    const { position, object } = used;
    const { version, content } = object;
    used.position = Math.min(position + length, content.length);
    const abort = new AbortController();
    const read = async () => {
      try {
        const pieces = await this.#reader.read(
          { version, offset: position, length, stream: used.stream },
          abort.signal,
        );
        const expected = content.subarray(position, position + length);
        this.#t.true(Buffer.concat(pieces).equals(expected), `wrong bytes of ${version.key} at ${position}`);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        const allowed = [
          'ServerError',
          ...(abort.signal.aborted ? ['Aborted'] : []),
          ...(this.#isReplaced(version) ? ['PreconditionFailed'] : []),
        ];
        this.#t.true(allowed.includes(error.code), `${error.message} (${error.code})`);
      }
    };
    this.#reads.push({ abort, done: read() });
  }

  #isReplaced(version: ObjectVersion): boolean {
    return this.#store.objects.get(version.key)?.info.etag !== version.etag;
  }

  #replace(index: number, size: number): void {
    this.#objects[index] = this.#put(this.#object(index).version.key, size);
  }

  #put(key: string, size: number): StoredVersion {
    const content = patternOf(size, `${key} ${this.#nextName++}`);
    return { version: { key, etag: this.#store.putForeign(key, content), size }, content };
  }

  #check(): void {
    this.#reader.checkInvariants();
    const { bytesCached, fetchesInFlight } = this.#memory.statistics();
    this.#t.true(bytesCached <= cacheBytes);
    this.#t.true(fetchesInFlight <= maxConcurrentFetches);
  }

  async #settle(): Promise<void> {
    await turnsUntil('nothing is fetched', () => this.#memory.statistics().fetchesInFlight === 0);
  }

  #object(index: number): StoredVersion {
    return this.#objects[index]!;
  }

  #stream(index: number) {
    return this.#streams[index]!;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('reads equal the bytes of their version, whatever happens around them', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 60 }), fc.nat(1_000_000), (steps, seed) =>
      new Session(t, seed).run(steps),
    ),
    { numRuns: 100 },
  );
});
