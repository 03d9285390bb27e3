import test from 'ava';
import { fc } from '../seed.js';
import { ModelRun } from './model/model-run.js';
import type { Server } from './model/modelled-mount.js';
import { operations, type Operation } from './model/operations.js';

/** OSIRISFS_MODEL_RUNS makes it longer; the default is more than 10,000 operations. */
const runs = Number(process.env['OSIRISFS_MODEL_RUNS'] ?? 200);

/** What once failed. */
const examples: [Server, Operation[]][] = [
  // The inode of a file that an open which creates had found, and then failed to open, was never let go of.
  [
    'bare',
    [
      { kind: 'open', path: 1, mode: 'truncate' },
      { kind: 'close', handle: 0 },
      { kind: 'throttle', requests: 1 },
      { kind: 'open', path: 1, mode: 'create' },
    ],
  ],
  // An open file that was refused for a moment was not stored any more.
  [
    'retried',
    [
      { kind: 'open', path: 1, mode: 'create' },
      { kind: 'synchronize', handle: 0 },
      { kind: 'deny', key: 0, writes: false, isUnexpected: true, operations: 1 },
      { kind: 'open', path: 4, mode: 'read' },
      { kind: 'write', handle: 0, offset: 0, length: 1, fill: 1 },
    ],
  ],
  // A directory that was to be replaced was gone when that failed.
  [
    'bare',
    [
      { kind: 'mkdir', directory: 1 },
      { kind: 'mkdir', directory: 2 },
      { kind: 'foreignPut', path: 4, length: 1, fill: 1 },
      { kind: 'deny', key: 1, writes: false, isUnexpected: true, operations: 2 },
      { kind: 'renameDirectory', directory: 4, target: 8 },
    ],
  ],
  [
    'bare',
    [
      { kind: 'open', path: 0, mode: 'create' },
      { kind: 'open', path: 0, mode: 'write' },
      { kind: 'deny', key: 0, writes: true, isUnexpected: false, operations: 1 },
      { kind: 'close', handle: 0 },
      { kind: 'open', path: 0, mode: 'read' },
      { kind: 'close', handle: 0 },
      { kind: 'mkdir', directory: 193 },
      { kind: 'write', handle: 0, offset: 0, length: 1, fill: 1 },
    ],
  ],
];

test('random operations leave the mount and the bucket as a plain model says', async (t) => {
  t.timeout(Math.max(600_000, runs * 10_000));
  let count = 0;
  const result = await fc.check(
    fc.asyncProperty(
      fc.constantFrom<Server[]>('bare', 'retried'),
      fc.array(operations, { minLength: 1, maxLength: 120, size: 'max' }),
      async (server, sequence) => {
        const teardowns: (() => unknown)[] = [];
        const run = new ModelRun({ teardown: (action) => void teardowns.push(action) }, server);
        try {
          for (const operation of sequence) {
            await run.run(operation);
            count += 1;
          }
          await run.finish();
        } finally {
          for (const action of teardowns) await action();
        }
      },
    ),
    { numRuns: runs, examples },
  );
  t.log(`${count} operations`);
  if (result.failed) {
    const [server, operationsOfIt = []] = result.counterexample ?? [];
    const sequence = operationsOfIt.map((operation) => JSON.stringify(operation)).join('\n');
    const { errorInstance: error } = result;
    t.fail(
      `seed ${result.seed}, ${server ?? ''}:\n${sequence}\n${error instanceof Error ? (error.stack ?? '') : String(error)}`,
    );
  }
  t.true(count > runs * 20);
});
