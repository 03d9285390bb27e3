import { chmod, lstat, mkdir, readdir, readFile, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { attributesOfObject } from '../../src/vfs/stored-attributes.js';
import { LocalTree, type LocalTreeOptions } from '../../src/transfer/local-tree.js';
import { makeDirectory } from '../mount/temporary.js';
import { TransferError } from '../../src/transfer/transfer-error.js';
import { fc } from '../seed.js';

const defaults = { uid: 0, gid: 0, filePermissions: 0o644, directoryPermissions: 0o755 };

function makeTree(destination: string, options: Partial<LocalTreeOptions> = {}): LocalTree {
  return new LocalTree({ destination, name: '', isNamedByUser: false, maskedPermissions: 0o022, ...options });
}

const plain = { metadata: {}, contentType: undefined, lastModifiedMs: 0 };
const attributes = attributesOfObject(plain, false, defaults);
const directoryAttributes = attributesOfObject(plain, true, defaults);

test('a file that was written is there, whatever the time that it was given', async (t) => {
  const directory = await makeDirectory(t);
  const tree = makeTree(directory);
  await fc.assert(
    fc.asyncProperty(fc.bigInt({ min: 0n, max: 4_102_444_800_000_000_000n }), async (mtimeNs) => {
      const timed = { ...attributes, mtimeNs };
      await tree.writeFile('file', timed, (file) => file.writeFile('content'));
      t.true(await tree.hasFile('file', 7, timed));
      t.false(await tree.hasFile('file', 7, { ...timed, mtimeNs: mtimeNs + 10_000n }));
    }),
    {
      numRuns: 300,
      // 2026, after the whole microsecond by so much that the sum of all roundings is beyond one.
      examples: Array.from({ length: 250 }, (_, index): [bigint] => [
        1_796_000_000_123_456_750n + BigInt(index),
      ]),
    },
  );
});

test('what fills a file may read it back', async (t) => {
  const directory = await makeDirectory(t);
  const tree = makeTree(directory);
  await tree.writeFile('file', attributes, async (file) => {
    await file.write('content');
    const { buffer } = await file.read(Buffer.alloc(7), 0, 7, 0);
    t.is(buffer.toString(), 'content');
  });
});

test('nothing is written through a link whose name the bucket gives', async (t) => {
  const directory = await makeDirectory(t);
  const victim = path.join(directory, 'victim');
  await mkdir(victim);
  const write = (tree: LocalTree, relative: string) =>
    tree.writeFile(relative, attributes, (file) => file.writeFile('theirs'));
  const destination = path.join(directory, 'destination');
  await mkdir(destination);
  // Left by an earlier get, when the bucket had a symbolic link of this name.
  await symlink(victim, path.join(destination, 'results'));
  const named = makeTree(destination, { name: 'results' });
  await t.throwsAsync(write(named, 'authorized_keys'), { instanceOf: TransferError });
  await t.throwsAsync(named.makeDirectory('deeper'), { instanceOf: TransferError });
  await t.throwsAsync(named.makeLink('link', 'target'), { instanceOf: TransferError });
  await symlink(victim, path.join(destination, 'inner'));
  const whole = makeTree(destination);
  await t.throwsAsync(write(whole, 'inner/file'), { instanceOf: TransferError });
  t.deepEqual(await readdir(victim), []);
  // A file takes the place of a link.
  await write(makeTree(destination, { name: 'results' }), '');
  t.true((await lstat(path.join(destination, 'results'))).isFile());
  t.deepEqual(await readdir(victim), []);
});

test('what the user has typed may be a link', async (t) => {
  const directory = await makeDirectory(t);
  await mkdir(path.join(directory, 'real'));
  const typed = path.join(directory, 'typed');
  await symlink(path.join(directory, 'real'), typed);
  await makeTree(typed, { name: 'tree' }).writeFile('d/file', attributes, (file) => file.writeFile('x'));
  t.is(await readFile(path.join(directory, 'real/tree/d/file'), 'utf8'), 'x');
  for (const name of ['.', '..', 'a/b']) {
    t.throws(() => makeTree(typed, { name }), { instanceOf: TransferError }, name);
  }
});

test('modes are restored as far as the umask lets them', async (t) => {
  const directory = await makeDirectory(t);
  const wide = { ...attributes, permissions: 0o6777 };
  const modeOf = async (name: string) => (await stat(path.join(directory, name))).mode & 0o7777;
  for (const [maskedPermissions, expected] of [
    [0o077, 0o700],
    [0o022, 0o755],
    [0, 0o777],
  ] as const) {
    const name = `masked-${maskedPermissions}`;
    const tree = makeTree(directory, { name, maskedPermissions });
    await tree.writeFile('file', wide, (file) => file.writeFile('content'));
    t.true(await tree.hasFile('file', 7, wide), 'it is not fetched again');
    await tree.makeDirectory('d');
    await tree.finishDirectory('d', { ...directoryAttributes, permissions: 0o777 });
    t.is(await modeOf(`${name}/file`), expected);
    t.is(await modeOf(`${name}/d`), expected);
    await chmod(path.join(directory, name, 'file'), 0o604);
    t.false(await tree.hasFile('file', 7, wide), 'others may read it');
  }
});
