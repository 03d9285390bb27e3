// A server that does not encrypt: nothing new is begun, and what is there can be read and removed.
import test, { type ExecutionContext } from 'ava';
import { FsError, StoreError, type FsErrorCode } from '../../src/errors.js';
import { writeFlags } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';

async function fails(t: ExecutionContext, code: FsErrorCode, promise: Promise<unknown>): Promise<void> {
  await t.throwsAsync(promise, { instanceOf: FsError, code });
}

test('what would be stored is refused as on a read-only file system; reading and removing go on', async (t) => {
  const fixture = new Fixture(t);
  for (const key of ['d/', 'd/f', 'g']) fixture.store.putForeign(key, key.endsWith('/') ? '' : 'mine');
  const asked: string[] = [];
  const { client, fs } = fixture.mount({
    proveEncryption: (key) => {
      asked.push(key);
      return Promise.reject(new StoreError('NotEncrypting', `put ${key}: not encrypted`));
    },
  });
  await fails(t, 'EROFS', client.writeFile('d/new', 'secret'));
  await fails(t, 'EROFS', client.writeFile('g', 'secret'));
  await fails(t, 'EROFS', client.makeDirectory('e'));
  await fails(t, 'EROFS', client.rename('g', 'd/g'));
  const inRoot = (action: (inode: number) => Promise<unknown>) => client.withInode('', action);
  await fails(
    t,
    'EROFS',
    inRoot((root) => fs.makeSymlink({ parent: root, name: 'link', target: 'target' }, client.call)),
  );
  await fails(
    t,
    'EROFS',
    inRoot((root) =>
      fs.makeNode({ parent: root, name: 'fifo', mode: 0o10644, deviceNumber: 0 }, client.call),
    ),
  );
  await fails(
    t,
    'EROFS',
    inRoot((root) =>
      fs.makeNode({ parent: root, name: 'file', mode: 0o100644, deviceNumber: 0 }, client.call),
    ),
  );
  const inFile = (action: (inode: number) => Promise<unknown>) => client.withInode('g', action);
  await fails(
    t,
    'EROFS',
    inFile((file) => fs.open({ inode: file, flags: writeFlags }, client.call)),
  );
  await fails(
    t,
    'EROFS',
    inFile((file) => fs.setAttributes({ inode: file, changes: { mode: 0o600 } }, client.call)),
  );
  await fails(
    t,
    'EROFS',
    inFile((file) => fs.setAttributes({ inode: file, changes: { size: 0 } }, client.call)),
  );
  const value = Buffer.from('value');
  await fails(
    t,
    'EROFS',
    inFile((file) =>
      fs.setExtendedAttribute({ inode: file, name: 'user.a', value, mode: 'either' }, client.call),
    ),
  );
  await fails(
    t,
    'EROFS',
    inFile((file) => fs.removeExtendedAttribute({ inode: file, name: 'user.a' }, client.call)),
  );
  t.deepEqual(asked.sort(), ['d/g', 'd/new', 'e', 'fifo', 'file', 'g', 'g', 'g', 'g', 'g', 'g', 'link']);
  t.is((await client.readFile('d/f')).toString(), 'mine');
  await client.unlink('d/f');
  await client.removeDirectory('d');
  t.deepEqual([...fixture.store.objects.keys()], ['g']);
  t.is(fixture.store.requestCount('put', 'copy', 'createUpload'), 0);
});

test('what was written when the server still seemed to encrypt is kept, told of once, and pending', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs, lines } = fixture.mount();
  fixture.store.beforeRequest = (method, key) => {
    if (method === 'put') throw new StoreError('NotEncrypting', `put ${key}: would not be encrypted`);
  };
  await fails(t, 'EROFS', client.writeFile('f', 'mine'));
  t.is((await client.readFile('f')).toString(), 'mine');
  t.deepEqual(
    fs.pending().map(({ path, reason }) => [path, reason?.isRefused]),
    [['f', true]],
  );
  t.is(lines.filter(({ level }) => level === 'error').length, 1);
});
