// What cannot be read, for a moment or for good, shows made-up attributes: nothing of them is ever stored.
import test from 'ava';
import { StoreError } from '../../src/errors.js';
import { writeFlags, type FileSystemClient } from './file-system-client.js';
import { Fixture, metadataTtlMs } from './file-system-fixture.js';

const codes = ['AccessDenied', 'WrongCustomerKey', 'CorruptReply'] as const;
const attributes = {
  uid: '500',
  gid: '500',
  mtime: '1000000000.000000000',
  title: 't',
  xattr: '%7B%22user.a%22%3A%22YQ%3D%3D%22%7D',
};

interface Change {
  readonly change: (client: FileSystemClient) => Promise<unknown>;
  /** Of the stored metadata, beside ctime. */
  readonly changes?: Readonly<Record<string, string>>;
}

const setAttribute = (client: FileSystemClient) =>
  client.withInode('d', (inode) =>
    client.fs.setExtendedAttribute(
      { inode, name: 'user.a', value: Buffer.from('a'), mode: 'either' },
      client.call,
    ),
  );

const ofBoth: Readonly<Record<string, Change>> = {
  touch: { change: (client) => client.setAttributes('d', { atime: 5n }), changes: { atime: '0.000000005' } },
  chown: { change: (client) => client.setAttributes('d', { uid: 7 }), changes: { uid: '7' } },
  'an extended attribute': { change: setAttribute },
  'a rename': { change: (client) => client.rename('d', 'e') },
};

for (const [kind, key, mode] of [
  ['file', 'd', 0o100640],
  ['directory', 'd/', 0o40750],
] as const) {
  const before = { ...attributes, mode: String(mode) };
  const others = key === 'd' ? [] : ['d/below'];
  const prepare = (fixture: Fixture) => {
    fixture.store.putForeign(key, '', { metadata: before });
    for (const other of others) fixture.store.putForeign(other, 'x');
  };
  for (const [what, { change, changes }] of Object.entries(ofBoth)) {
    for (const code of codes) {
      test(`a ${kind} that is ${code} for a moment keeps what is stored with it through ${what}`, async (t) => {
        const fixture = new Fixture(t);
        prepare(fixture);
        const { client, fs } = fixture.mount();
        fixture.store.beforeRequest = (method, asked) => {
          if (method === 'head' && asked === key) throw new StoreError(code, 'for a moment');
        };
        await client.withInode('d', async () => {
          await client.stat('d');
          fixture.store.beforeRequest = () => undefined;
          await change(client);
        });
        await fs.synchronizeAll('what is closed');
        const stored = fixture.store.objects.get(what === 'a rename' ? key.replace('d', 'e') : key);
        t.like(stored?.info.metadata, { ...before, ...changes });
      });
    }

    test(`a ${kind} that cannot be read is left as it is by ${what}, which is EACCES`, async (t) => {
      const fixture = new Fixture(t);
      prepare(fixture);
      const stored = new Map(fixture.store.objects);
      const { client, fs } = fixture.mount();
      fixture.store.beforeRequest = (method, asked) => {
        if (method === 'head' && asked === key) throw new StoreError('AccessDenied', 'for good');
      };
      await t.throwsAsync(change(client), { code: 'EACCES' } as never);
      await fs.synchronizeAll('what is closed');
      t.deepEqual(fixture.store.objects, stored);
    });
  }
}

for (const code of codes) {
  for (const when of ['before', 'after'] as const) {
    test(`what is written to an open file ${when} it was looked at while it was ${code} is stored with its attributes`, async (t) => {
      const fixture = new Fixture(t);
      const metadata = { ...attributes, mode: String(0o100640) };
      fixture.store.putForeign('f', 'content', { metadata });
      const { client } = fixture.mount();
      const file = await client.open('f', writeFlags);
      if (when === 'before') await file.write(0, 'C');
      fixture.clock.advance(metadataTtlMs);
      fixture.store.beforeRequest = (method) => {
        if (method === 'head') throw new StoreError(code, 'for a moment');
      };
      t.is((await client.stat('f')).mode & 0o777, 0o640);
      await client.open('f').catch(() => undefined);
      fixture.store.beforeRequest = () => undefined;
      if (when === 'after') await file.write(0, 'C');
      await file.close();
      t.is(String(fixture.store.contentOf('f')), 'Content');
      const { mode, title, uid, gid } = metadata;
      t.like(fixture.store.objects.get('f')?.info.metadata, { mode, title, uid, gid });
    });
  }
}
