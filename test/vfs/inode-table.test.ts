import test from 'ava';
import { InodeTable } from '../../src/vfs/inode-table.js';
import { typeDirectory, typeRegular } from '../../src/vfs/modes.js';
import { attributesOfObject } from '../../src/vfs/stored-attributes.js';

const defaults = { uid: 0, gid: 0, filePermissions: 0o644, directoryPermissions: 0o755 };
const attributesOf = (type: number) =>
  attributesOfObject(
    { metadata: {}, contentType: undefined, lastModifiedMs: 0 },
    type === typeDirectory,
    defaults,
  );

function makeTable() {
  const inodes = new InodeTable('', attributesOf(typeDirectory), 0);
  const directory = inodes.addDirectory(inodes.root, 'd', attributesOf(typeDirectory), 0);
  const file = inodes.addFile(directory, 'f', attributesOf(typeRegular), undefined, 0);
  return { inodes, directory, file };
}

test('a node that nobody needs is dropped, and so are its parents', (t) => {
  const { inodes, file } = makeTable();
  inodes.release(file);
  t.is(inodes.size, 1);
  inodes.checkInvariants();
});

test('a node that the kernel holds stays, with its parents', (t) => {
  const { inodes, file, directory } = makeTable();
  file.lookups = 1;
  inodes.release(file);
  inodes.release(directory);
  t.is(inodes.get(file.id), file);
  t.is(inodes.size, 3);
});

test('a node that was dropped between being found and handed out is known again', (t) => {
  const { inodes, file, directory } = makeTable();
  inodes.release(file);
  t.throws(() => inodes.get(file.id), { code: 'ESTALE' } as never);
  inodes.revive(file);
  file.lookups = 1;
  t.is(inodes.get(file.id), file);
  t.is(directory.children.get('f'), file);
  inodes.checkInvariants();
});

test('a removed node loses its name and stays known while it is held', (t) => {
  const { inodes, file, directory } = makeTable();
  file.lookups = 1;
  inodes.remove(file);
  t.false(directory.children.has('f'));
  t.is(inodes.get(file.id), file);
  file.lookups = 0;
  inodes.release(file);
  t.throws(() => inodes.get(file.id), { code: 'ESTALE' } as never);
});
