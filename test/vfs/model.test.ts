import test from 'ava';
import { fc } from '../seed.js';
import { ModelRun } from './model/model-run.js';
import type { Server } from './model/modelled-mount.js';
import { operations } from './model/operations.js';

/** OSIRISFS_MODEL_RUNS makes it longer; the default is more than 10,000 operations. */
const runs = Number(process.env['OSIRISFS_MODEL_RUNS'] ?? 200);

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
    { numRuns: runs },
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
