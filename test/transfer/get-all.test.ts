import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { DirectoryNames } from '../../src/transfer/directory-names.js';
import { getAll } from '../../src/transfer/get-all.js';
import { LocalTree, type LocalTreeOptions } from '../../src/transfer/local-tree.js';
import { Progress, TransferSummary } from '../../src/transfer/progress.js';
import { LocalFailure } from '../../src/transfer/transfer-error.js';
import { makeDirectory } from '../mount/temporary.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { fc } from '../seed.js';

/** A file system that is full, as far as content is concerned. */
class FullTree extends LocalTree {
  override writeFile(): Promise<void> {
    const cause = { code: 'ENOSPC', syscall: 'write', errno: -28 };
    return Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), cause));
  }
}

const treeOptions = { name: 'tree', isNamedByUser: false, maskedPermissions: 0o022 };

function startGet(store: MemoryObjectStore, tree: LocalTree, concurrency: number) {
  const summary = new TransferSummary();
  const failures: string[] = [];
  const ended = getAll(
    {
      store,
      prefix: 'tree/',
      tree,
      defaults: { uid: 0, gid: 0, filePermissions: 0o644, directoryPermissions: 0o755 },
      concurrency,
      progress: new Progress(),
      summary,
      onFailure: (message) => failures.push(message),
    },
    new AbortController().signal,
  );
  return { summary, failures, ended };
}

test('a full disk ends everything, and the message says at which object', async (t) => {
  const store = new MemoryObjectStore();
  for (const name of ['a', 'b', 'c']) store.putForeign(`tree/${name}`, 'content');
  const tree = new FullTree({ ...treeOptions, destination: await makeDirectory(t) });
  const { summary, failures, ended } = startGet(store, tree, 1);
  const error = await t.throwsAsync(ended, { instanceOf: LocalFailure });
  t.is(error.message, 'get tree/a: ENOSPC: no space left on device, write');
  t.deepEqual(failures, []);
  t.is(summary.failed + summary.transferred, 0);
});

/** Gets twice what two objects and a directory of the name of one of them are; resolves with what is there then. */
async function getClash(
  t: ExecutionContext,
  concurrency: number,
  keys: readonly string[],
  options: Partial<LocalTreeOptions> = {},
) {
  const store = new MemoryObjectStore();
  for (const key of keys) store.putForeign(key, `content of ${key}`);
  const destination = await makeDirectory(t);
  const all = { ...treeOptions, destination, ...options };
  for (const run of ['first', 'second']) {
    const { summary, failures, ended } = startGet(store, new LocalTree(all), concurrency);
    await ended;
    t.is(failures.length, 1, `${run}: ${failures.join()}`);
    t.regex(failures[0]!, /has the name of a directory|is a directory; the file of that name is left out$/);
    t.is(summary.failed, 1);
    t.is(summary.transferred, run === 'first' ? keys.length - 1 : 0);
    t.is(summary.already, run === 'first' ? 0 : keys.length - 1);
  }
  for (const key of keys.slice(1)) {
    t.is(await readFile(path.join(destination, key), 'utf8'), `content of ${key}`);
  }
  return await readdir(path.join(destination, 'tree'), { recursive: true });
}

for (const concurrency of [1, 2, 16]) {
  test(`a file that has the name of a directory is left out, ${concurrency} at a time`, async (t) => {
    const keys = ['tree/a', 'tree/a-b', 'tree/a/b/c', 'tree/a/d', 'tree/ab'];
    t.deepEqual((await getClash(t, concurrency, keys)).sort(), ['a', 'a-b', 'a/b', 'a/b/c', 'a/d', 'ab']);
  });

  test(`so is the object of the name of what is fetched, ${concurrency} at a time`, async (t) => {
    t.deepEqual(await getClash(t, concurrency, ['tree', 'tree/a']), ['a']);
  });
}

test('so is a symbolic link', async (t) => {
  const store = new MemoryObjectStore();
  store.putForeign('tree/a', 'elsewhere', { metadata: { mode: String(0o120777) } });
  store.putForeign('tree/a/b', 'content');
  const destination = await makeDirectory(t);
  const { summary, failures, ended } = startGet(store, new LocalTree({ ...treeOptions, destination }), 4);
  await ended;
  t.deepEqual(failures, ['tree/a: it has the name of a directory, and is left out']);
  t.is(summary.transferred, 1);
  t.is(await readFile(path.join(destination, 'tree/a/b'), 'utf8'), 'content');
});

test('a key that is also the name of a directory is found in every listing', (t) => {
  const keys = fc.uniqueArray(fc.stringMatching(/^[a/!~]{1,6}$/), { maxLength: 40 });
  fc.assert(
    fc.property(keys, (drawn) => {
      const listing = [...drawn].sort();
      const names = new DirectoryNames<string>();
      const found = listing.flatMap((key) => names.add(key, key));
      const expected = listing.filter(
        (key) => !key.endsWith('/') && listing.some((other) => other.startsWith(`${key}/`)),
      );
      t.deepEqual(found.sort(), expected);
    }),
  );
});
