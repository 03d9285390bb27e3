// What other programs stored with an object stays with it, whatever makes this mount write it again.
import test from 'ava';
import { type FileSystemClient, writeFlags } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';

const kept = {
  'cache-control': 'max-age=60',
  'content-disposition': 'attachment',
  'content-encoding': 'gzip',
  'content-language': 'de',
  expires: '0',
  'x-amz-storage-class': 'STANDARD_IA',
  'x-amz-website-redirect-location': '/other',
} as const;
const headers = { metadata: { title: 't' }, contentType: 'text/html', kept, tags: 'team=a' };

async function writeAt(client: FileSystemClient, path: string, offset: number, text: string): Promise<void> {
  const file = await client.open(path, writeFlags);
  await file.write(offset, text);
  await file.close();
}

const operations: Readonly<Record<string, (client: FileSystemClient) => Promise<unknown>>> = {
  chmod: (client) => client.setAttributes('d/f', { mode: 0o600 }),
  'a new mtime': (client) => client.setAttributes('d/f', { mtime: 1n }),
  truncate: (client) => client.setAttributes('d/f', { size: 3 }),
  overwriting: (client) => client.writeFile('d/f', 'new'),
  'a change in the middle': (client) => writeAt(client, 'd/f', 100, 'new'),
  'an extended attribute': (client) =>
    client.withInode('d/f', (inode) =>
      client.fs.setExtendedAttribute(
        { inode, name: 'user.a', value: Buffer.from('1'), mode: 'either' },
        client.call,
      ),
    ),
  'a rename': (client) => client.rename('d/f', 'd/g'),
  'a rename of the directory': (client) => client.rename('d', 'e'),
  'a rename and another': async (client) => {
    await client.rename('d', 'e');
    await client.rename('e/f', 'g');
    await client.setAttributes('g', { mode: 0o600 });
  },
};

for (const [what, operation] of Object.entries(operations)) {
  for (const size of [0, 10, 1_000]) {
    test(`headers and tags of an object of ${size} bytes stay through ${what}`, async (t) => {
      const fixture = new Fixture(t);
      fixture.store.putForeign('d/f', Buffer.alloc(size, 'x'), headers);
      const before = fixture.store.objects.get('d/f');
      const { client, fs } = fixture.mount({ rewriteBytes: 64 });
      await operation(client);
      await fs.synchronizeAll('what is closed');
      const [object, ...others] = [...fixture.store.objects.values()].filter(
        ({ info }) => !info.key.endsWith('/'),
      );
      t.is(others.length, 0);
      t.not(object, before, 'written again');
      t.like(object?.info, { contentType: 'text/html', kept, metadata: { title: 't' } });
      t.is(object?.tags, 'team=a');
    });
  }
}

test('what another client stored meanwhile keeps its headers and tags while it is set aside', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  const file = await client.create('f', { truncate: true });
  // So much that its parts are sent before it is complete, and can be completed under the file's own key only.
  for (let index = 0; index < 20; index += 1) await file.write(index * 524_288, Buffer.alloc(524_288, index));
  t.true(fixture.store.requestCount('uploadPart') > 0);
  fixture.clock.advance(5_000);
  fixture.store.putForeign('f', 'theirs', headers);
  await t.throwsAsync(file.close(), { code: 'ESTALE' } as never);
  const theirs = fixture.store.objects.get('f');
  t.is(String(theirs?.bytes), 'theirs');
  t.like(theirs?.info, { kept, contentType: 'text/html' });
  t.is(theirs?.tags, 'team=a');
});

test('headers and tags of a directory stay through chmod and renames', async (t) => {
  const fixture = new Fixture(t);
  fixture.store.putForeign('d/', '', { ...headers, contentType: 'application/x-directory' });
  fixture.store.putForeign('d/s/', '', headers);
  const { client, fs } = fixture.mount();
  await client.setAttributes('d', { mode: 0o700 });
  await fs.synchronizeAll('what is closed');
  await client.rename('d', 'e');
  await client.setAttributes('e/s', { mode: 0o711 });
  await client.setAttributes('e', { mode: 0o711 });
  await fs.synchronizeAll('what is closed');
  for (const key of ['e/', 'e/s/']) {
    const marker = fixture.store.objects.get(key);
    t.like(marker?.info, { kept, metadata: { title: 't', mode: String(0o40711) } });
    t.is(marker?.tags, 'team=a');
  }
});
