// What is asked of a name, or of an object, that another client has made or changed within the TTL.
import test from 'ava';
import { rootInode } from '../../src/file-system.js';
import { turnsUntil } from '../patience.js';
import { defaultCall, type FileSystemClient } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';

const exists = { code: 'EEXIST' } as never;

const makers: Record<string, (client: FileSystemClient, name: string) => Promise<unknown>> = {
  'open with O_EXCL': (client, name) => client.create(name, { exclusive: true }),
  'open with O_EXCL and O_TRUNC': (client, name) => client.create(name, { exclusive: true, truncate: true }),
  mknod: (client, name) =>
    client.fs.makeNode({ parent: rootInode, name, mode: 0o100644, deviceNumber: 0 }, defaultCall),
  symlink: (client, name) => client.makeSymlink('target', name),
};

for (const [what, make] of Object.entries(makers)) {
  test(`${what} refuses a name that another client has just made`, async (t) => {
    const fixture = new Fixture(t);
    const { client, fs } = fixture.mount();
    await client.list('');
    fixture.store.putForeign('lock', 'theirs');
    await t.throwsAsync(make(client, 'lock'), exists);
    t.deepEqual([...fixture.store.objects.keys()], ['lock']);
    t.is((await client.readFile('lock')).toString(), 'theirs');
    t.deepEqual(fs.pendingKeys(), []);
  });
}

test('mkdir refuses a directory that another client has just made, and leaves its attributes', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.list('');
  fixture.store.putForeign('d/', '', { metadata: { mode: String(0o40700) } });
  await t.throwsAsync(client.makeDirectory('d'), exists);
  t.is((await client.stat('d')).mode & 0o777, 0o700);
  t.is(Number(fixture.store.objects.get('d/')?.info.metadata['mode']), 0o40700);
});

for (const rewriteBytes of [0, 64 * 1024]) {
  for (const isOpen of [false, true]) {
    const how = `${rewriteBytes > 0 ? 'sent again' : 'copied'}${isOpen ? ', open' : ''}`;
    test(`attributes that are set of a file that another client has changed are set of its version: ${how}`, async (t) => {
      const fixture = new Fixture(t);
      const { client, fs, lines } = fixture.mount({ rewriteBytes });
      fixture.store.putForeign('a', 'one', { metadata: { other: 'old', mode: String(0o100644) } });
      const file = isOpen ? await client.open('a') : undefined;
      const { inode } = await fs.lookup({ parent: rootInode, name: 'a' }, defaultCall);
      fixture.store.putForeign('a', 'two two', {
        metadata: { other: 'new', uid: '77', mode: String(0o100644) },
      });
      await fs.setAttributes({ inode, changes: { mode: 0o600 } }, defaultCall);
      await fs.synchronizeAll('what is closed');
      await turnsUntil('it is stored', () => fs.pendingKeys().length === 0);
      const stored = fixture.store.objects.get('a')?.info.metadata ?? {};
      t.is(fixture.store.contentOf('a')?.toString(), 'two two');
      t.is(Number(stored['mode']), 0o100600);
      t.deepEqual([stored['other'], stored['uid']], ['new', '77']);
      const { attributes } = await fs.lookup({ parent: rootInode, name: 'a' }, defaultCall);
      t.deepEqual([attributes.mode & 0o777, attributes.size, attributes.uid], [0o600, 7, 77]);
      t.is((await client.readFile('a')).toString(), 'two two');
      if (file) await t.throwsAsync(file.read(0, 10), { code: 'ESTALE' } as never);
      await file?.close();
      t.deepEqual(
        lines.filter(({ level }) => level === 'error'),
        [],
      );
    });
  }
}
