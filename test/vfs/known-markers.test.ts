// What is asked of directories that other programs made, most of which have no marker object.
import test from 'ava';
import { rootInode } from '../../src/file-system.js';
import type { FileSystemClient } from './file-system-client.js';
import { Fixture, metadataTtlMs } from './file-system-fixture.js';

const count = 300;
const nearlyTtlMs = metadataTtlMs - 5000;

/** As `ls` begins: the first READDIRPLUS, with room for all. */
async function beginListing({ fs, call }: FileSystemClient, path: string): Promise<number> {
  let entries = 0;
  const { inode } = await fs.lookup({ parent: rootInode, name: path }, call);
  const { handle } = await fs.openDirectory({ inode }, call);
  const add = (_entry: unknown, full: { readonly inode: number } | undefined) => {
    entries += 1;
    if (full) fs.forget(full.inode, 1);
    return true;
  };
  await fs.readDirectoryPlus({ inode, handle, offset: 0, add }, call);
  fs.releaseDirectory({ inode, handle });
  fs.forget(inode, 1);
  return entries;
}

test('the names of subdirectories cost no request for each', async (t) => {
  const fixture = new Fixture(t);
  for (let index = 0; index < count; index += 1) fixture.store.putForeign(`d/sub${index}/f`, 'x');
  const { client } = fixture.mount();
  for (let round = 0; round < 3; round += 1) {
    t.is(await beginListing(client, 'd'), count + 2);
    t.true(fixture.store.requestCount('head') <= 2, 'of the directory itself');
    fixture.clock.advance(metadataTtlMs);
    fixture.store.resetCounters();
  }
});

test('that a directory has no marker is asked once within the time for which attributes are believed', async (t) => {
  const fixture = new Fixture(t);
  for (let index = 0; index < count; index += 1) fixture.store.putForeign(`d/sub${index}/f`, 'x');
  const { client } = fixture.mount();
  client.hold((await client.fs.lookup({ parent: rootInode, name: 'd' }, client.call)).inode);
  await client.list('d');
  fixture.clock.advance(nearlyTtlMs);
  fixture.store.resetCounters();
  t.is((await client.listPlus('d')).size, count);
  t.true(fixture.store.requestCount('head') <= count + 2);
  fixture.store.resetCounters();
  // The listing is outdated by then, what was said of the markers is not.
  fixture.clock.advance(metadataTtlMs - nearlyTtlMs);
  t.is((await client.listPlus('d')).size, count);
  t.true(fixture.store.requestCount('head') <= 2, String(fixture.store.requestCount('head')));
  fixture.clock.advance(metadataTtlMs);
  fixture.store.resetCounters();
  await client.listPlus('d');
  t.true(fixture.store.requestCount('head') >= count);
});

test('subdirectories that are looked up one after the other have their markers fetched ahead', async (t) => {
  const fixture = new Fixture(t);
  for (let index = 0; index < 40; index += 1)
    fixture.store.putForeign(`d/sub${String(index).padStart(2, '0')}/f`, 'x');
  const { client } = fixture.mount();
  client.hold((await client.fs.lookup({ parent: rootInode, name: 'd' }, client.call)).inode);
  await client.list('d');
  let underWay = 0;
  let most = 0;
  fixture.store.beforeRequest = async (method) => {
    if (method !== 'head') return;
    most = Math.max(most, (underWay += 1));
    await new Promise<void>((resolve) => setImmediate(resolve));
    underWay -= 1;
  };
  fixture.store.resetCounters();
  for (let index = 0; index < 40; index += 1) await client.stat(`d/sub${String(index).padStart(2, '0')}`);
  t.is(fixture.store.requestCount('head'), 40);
  t.true(most > 4, String(most));
});

test('attributes that were set here are shown after the kernel has forgotten a directory that had none', async (t) => {
  const fixture = new Fixture(t);
  fixture.store.putForeign('d/sub/f', 'x');
  const { client, fs } = fixture.mount();
  await client.listPlus('d');
  await client.setAttributes('d/sub', { mode: 0o700 });
  await fs.synchronizeAll('what is closed');
  await client.list('d');
  t.is((await client.stat('d/sub')).mode & 0o777, 0o700);
  await client.unlink('d/sub/f');
  await client.removeDirectory('d/sub');
  await client.makeDirectory('d/sub', 0o40711);
  await client.rename('d', 'e');
  t.is((await client.stat('e/sub')).mode & 0o777, 0o711);
});
