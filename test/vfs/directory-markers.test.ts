// Keys that end in '/' and have content, as web tools make them: directories here, whose bytes nothing may destroy.
import test from 'ava';
import { StoreError } from '../../src/errors.js';
import { DirectoryMarkers } from '../../src/vfs/directory-markers.js';
import { KnownMarkers } from '../../src/vfs/known-markers.js';
import { ObjectRewriter } from '../../src/vfs/object-rewriter.js';
import { attributesOfObject } from '../../src/vfs/stored-attributes.js';
import type { FileSystemClient } from './file-system-client.js';
import { Fixture, makeLog, metadataTtlMs } from './file-system-fixture.js';

const defaults = { uid: 1000, gid: 1000, filePermissions: 0o644, directoryPermissions: 0o755 };
const headers = { metadata: { title: 't' }, contentType: 'text/html', tags: 'team=a' };

const operations: Readonly<Record<string, (client: FileSystemClient) => Promise<unknown>>> = {
  chmod: (client) => client.setAttributes('d', { mode: 0o700 }),
  touch: (client) => client.setAttributes('d', { mtime: 'now' }),
  'an extended attribute': (client) =>
    client.withInode('d', (inode) =>
      client.fs.setExtendedAttribute(
        { inode, name: 'user.a', value: Buffer.from('1'), mode: 'either' },
        client.call,
      ),
    ),
  'a file that comes and goes': async (client) => {
    await client.writeFile('d/f', '1');
    await client.unlink('d/f');
  },
  'a rename': (client) => client.rename('d', 'e'),
  'a rename of the directory above': async (client) => {
    await client.makeDirectory('above');
    await client.rename('d', 'above/d');
    await client.rename('above', 'e');
  },
  'a chmod after a rename': async (client) => {
    await client.rename('d', 'e');
    await client.setAttributes('e', { mode: 0o700 });
  },
};

for (const [what, operation] of Object.entries(operations)) {
  for (const size of [8, 1_000]) {
    test(`${size} bytes under the key of a directory stay through ${what}`, async (t) => {
      const fixture = new Fixture(t);
      const content = Buffer.alloc(size, 'precious');
      fixture.store.putForeign('d/', content, headers);
      const { client, fs, lines } = fixture.mount({ rewriteBytes: 64 });
      await operation(client);
      await fs.synchronizeAll('what is closed');
      const [marker, ...others] = [...fixture.store.objects.values()].filter(({ bytes }) => bytes.length > 0);
      t.is(others.length, 0);
      t.true(marker && content.equals(marker.bytes));
      t.like(marker?.info, { contentType: 'text/html', metadata: { title: 't' } });
      t.is(marker?.tags, 'team=a');
      t.is(marker?.info.metadata['osirisfs-rename-from'], undefined);
      const told = lines.filter(({ message }) => message.includes('the key of a directory has content'));
      t.true(new Set(told.map(({ fields }) => (fields as { key: string }).key)).size === told.length);
    });
  }
}

test('a directory whose key has content is not removed, nor replaced by another, and that is told once', async (t) => {
  const fixture = new Fixture(t);
  fixture.store.putForeign('d/', 'precious', headers);
  const { client, lines } = fixture.mount();
  await client.makeDirectory('other');
  const before = fixture.store.objects.get('d/');
  await t.throwsAsync(client.removeDirectory('d'), { code: 'ENOTEMPTY' } as never);
  await t.throwsAsync(client.removeDirectory('d'), { code: 'ENOTEMPTY' } as never);
  await t.throwsAsync(client.rename('other', 'd'), { code: 'ENOTEMPTY' } as never);
  t.is(fixture.store.objects.get('d/'), before);
  t.is(lines.filter(({ message }) => message.includes('the key of a directory has content')).length, 1);
});

test('what another client stores with a directory in the meantime is not written over unseen', async (t) => {
  const fixture = new Fixture(t);
  fixture.store.putForeign('d/', '');
  const { client, fs } = fixture.mount();
  await client.stat('d');
  fixture.store.putForeign('d/', 'precious', headers);
  await client.setAttributes('d', { mode: 0o700 });
  await fs.synchronizeAll('what is closed');
  t.is(String(fixture.store.contentOf('d/')), 'precious');
  t.is((await client.stat('d')).mode & 0o777, 0o700);
});

test('attributes do not bring a directory back that another client has removed', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  await client.makeDirectory('d');
  fixture.store.beforeRequest = (method, key) => {
    if (method === 'put' && key === 'd/') fixture.store.objects.delete(key);
  };
  await client.setAttributes('d', { mode: 0o700 });
  await fs.synchronizeAll('what is closed').catch(() => undefined); // there is nowhere to store them
  t.deepEqual([...fixture.store.objects.keys()], []);
});

for (const isThere of [false, true]) {
  test(`a marker that was ${isThere ? '' : 'not '}there is asked for anew when the reply to its write is lost`, async (t) => {
    const fixture = new Fixture(t);
    const { store, clock } = fixture;
    const rewriter = new ObjectRewriter(store, fixture.mount().reader, 0);
    const known = new KnownMarkers(clock, metadataTtlMs);
    const markers = new DirectoryMarkers({ store, rewriter, knownMarkers: known, clock, log: makeLog().log });
    const { signal } = new AbortController();
    if (isThere) store.putForeign('d/', '');
    const { marker } = await known.learn('d/', () => markers.find('d/', signal));
    const mode = String(0o40700);
    const info = { metadata: { mode }, contentType: undefined, lastModifiedMs: 0 };
    const attributes = attributesOfObject(info, true, defaults);
    store.afterRequest = (method) => {
      if (method === 'put' || method === 'copy') throw new StoreError('Timeout', 'no reply');
    };
    await t.throwsAsync(markers.write('d/', attributes, marker, signal), { code: 'Timeout' } as never);
    t.is(store.objects.get('d/')?.info.metadata['mode'], mode, 'it was stored');
    t.is(known.get('d/'), undefined);
  });
}
