import test from 'ava';
import { getAll } from '../../src/transfer/get-all.js';
import { LocalTree } from '../../src/transfer/local-tree.js';
import { Progress } from '../../src/transfer/progress.js';
import { LocalFailure } from '../../src/transfer/transfer-error.js';
import { TransferSummary } from '../../src/transfer/transfer-summary.js';
import { makeDirectory } from '../mount/temporary.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';

/** A file system that is full, as far as content is concerned. */
class FullTree extends LocalTree {
  override writeFile(): Promise<void> {
    const cause = { code: 'ENOSPC', syscall: 'write', errno: -28 };
    return Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), cause));
  }
}

test('a full disk ends everything, and the message says at which object', async (t) => {
  const store = new MemoryObjectStore();
  for (const name of ['a', 'b', 'c']) store.putForeign(`tree/${name}`, 'content');
  const directory = await makeDirectory(t);
  const summary = new TransferSummary();
  const failures: string[] = [];
  const getting = getAll(
    {
      store,
      prefix: 'tree/',
      tree: new FullTree({
        destination: directory,
        name: 'tree',
        isNamedByUser: false,
        maskedPermissions: 0o022,
      }),
      defaults: { uid: 0, gid: 0, filePermissions: 0o644, directoryPermissions: 0o755 },
      concurrency: 1,
      progress: new Progress(),
      summary,
      onFailure: (message) => failures.push(message),
    },
    new AbortController().signal,
  );
  const error = await t.throwsAsync(getting, { instanceOf: LocalFailure });
  t.is(error.message, 'get tree/a: ENOSPC: no space left on device, write');
  t.deepEqual(failures, []);
  t.is(summary.failed + summary.transferred, 0);
});
