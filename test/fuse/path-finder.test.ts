import test from 'ava';
import { FsError } from '../../src/errors.js';
import type { Call } from '../../src/file-system.js';
import { PathFinder, requireUnspoiled } from '../../src/fuse/path-finder.js';
import { MemoryFileSystem } from './memory-file-system.js';

const call: Call = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };

async function makeTree(): Promise<MemoryFileSystem> {
  const fileSystem = new MemoryFileSystem();
  const outer = await fileSystem.makeDirectory({ parent: 1, name: 'outer', mode: 0o40755 }, call);
  const inner = await fileSystem.makeDirectory({ parent: outer.inode, name: 'inner', mode: 0o40755 }, call);
  fileSystem.forget(inner.inode, 1);
  fileSystem.forget(outer.inode, 1);
  return fileSystem;
}

test('a path is looked up component by component, and nothing is known in the end', async (t) => {
  const fileSystem = await makeTree();
  const paths = new PathFinder(fileSystem, call);
  for (let round = 0; round < 3; round++) {
    await paths.use('/outer/inner', (inode) => fileSystem.getAttributes({ inode }));
    await t.throwsAsync(
      paths.use('/outer/missing/more', () => Promise.resolve()),
      { code: 'ENOENT' } as never,
    );
    await t.throwsAsync(
      paths.useParent('/outer/new', () => Promise.reject(new FsError('EIO', 'fails'))),
      { code: 'EIO' } as never,
    );
  }
  t.is(fileSystem.knownCount, 2, 'what was used is kept');
  paths.clear();
  t.is(fileSystem.knownCount, 0);
});

test('the root is found, and has no directory that it is in', async (t) => {
  const paths = new PathFinder(await makeTree(), call);
  t.is((await paths.hold('/')).inode, 1);
  await t.throwsAsync(
    paths.useParent('/', () => Promise.resolve()),
    { code: 'EINVAL' } as never,
  );
});

test('an inode that is held stays known when the kept ones are forgotten', async (t) => {
  const fileSystem = await makeTree();
  const paths = new PathFinder(fileSystem, call);
  const { inode } = await paths.hold('/outer');
  paths.clear();
  t.is(fileSystem.inodeOf('outer'), inode);
  paths.giveBack(inode);
  paths.clear();
  t.is(fileSystem.knownCount, 0);
});

test('a name whose bytes were not UTF-8 is refused', (t) => {
  t.throws(() => requireUnspoiled('/folder/\uFFFD', 'mkdir'), { code: 'EILSEQ' } as never);
  t.notThrows(() => requireUnspoiled('/süß/字', 'mkdir'));
});
