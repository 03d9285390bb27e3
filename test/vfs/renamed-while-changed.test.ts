// Renames of what another client, or another program here, changes before or meanwhile.
import test from 'ava';
import { rootInode } from '../../src/file-system.js';
import { manyTurns, turnsUntil } from '../patience.js';
import { defaultCall, readFlags } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';

const plain = { noReplace: false, exchange: false };

/** Holds back the requests that `isHeld` names until it is opened. */
function holdBack(
  fixture: Fixture,
  isHeld: (method: string, key: string) => boolean,
  when: 'before' | 'after',
) {
  let open: () => void = () => undefined;
  const passage = new Promise<void>((resolve) => (open = resolve));
  const gate = { arrivals: 0, open: () => open() };
  const hook = (method: string, key: string) => {
    if (!isHeld(method, key)) return undefined;
    gate.arrivals += 1;
    return passage;
  };
  if (when === 'before') fixture.store.beforeRequest = hook;
  else fixture.store.afterRequest = hook;
  return gate;
}

function keysOf(fixture: Fixture): string[] {
  return [...fixture.store.objects.keys()].sort();
}

for (const rewriteBytes of [0, 64 * 1024]) {
  for (const isOpen of [false, true]) {
    const how = `${rewriteBytes > 0 ? 'sent again' : 'copied'}${isOpen ? ', while it is open' : ''}`;

    test(`what another client stores while a file is renamed gets the new name: ${how}`, async (t) => {
      const fixture = new Fixture(t);
      const { client } = fixture.mount({ rewriteBytes });
      await client.writeFile('f', 'ours');
      const open = isOpen ? await client.open('f') : undefined;
      const isCopy = (method: string, key: string) => (method === 'copy' || method === 'put') && key === 'g';
      const gate = holdBack(fixture, isCopy, 'after');
      const renaming = client.rename('f', 'g');
      await turnsUntil('it is copied', () => gate.arrivals > 0);
      fixture.store.putForeign('f', 'theirs', { metadata: { other: 'kept' } });
      gate.open();
      await renaming;
      t.deepEqual(keysOf(fixture), ['g']);
      t.is(fixture.store.contentOf('g')?.toString(), 'theirs');
      t.is(fixture.store.objects.get('g')?.info.metadata['other'], 'kept');
      t.is((await client.readFile('g')).toString(), 'theirs');
      await open?.close();
    });

    test(`a file that another client changed a moment ago is renamed as it is now: ${how}`, async (t) => {
      const fixture = new Fixture(t);
      const { client, fs } = fixture.mount({ rewriteBytes });
      fixture.store.putForeign('a', 'one');
      const open = isOpen ? await client.open('a') : undefined;
      await fs.lookup({ parent: rootInode, name: 'a' }, defaultCall);
      fixture.store.putForeign('a', 'two two');
      await fs.rename(
        { parent: rootInode, name: 'a', newParent: rootInode, newName: 'b', flags: plain },
        defaultCall,
      );
      t.deepEqual(keysOf(fixture), ['b']);
      t.is((await client.readFile('b')).toString(), 'two two');
      await open?.close();
    });
  }
}

test('attributes that another client stores while a file is renamed are kept, though the bytes are the same', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  fixture.store.putForeign('f', 'same', { metadata: { mode: String(0o100644) } });
  await client.stat('f');
  const gate = holdBack(fixture, (method, key) => method === 'copy' && key === 'g', 'after');
  const renaming = client.rename('f', 'g');
  await turnsUntil('it is copied', () => gate.arrivals > 0);
  fixture.store.putForeign('f', 'same', { metadata: { mode: String(0o100600) } });
  gate.open();
  await renaming;
  t.is(Number(fixture.store.objects.get('g')?.info.metadata['mode']), 0o100600);
  t.is((await client.stat('g')).mode & 0o777, 0o600);
});

test('a rename that may not replace anything moves what another client changed, and refuses a name that is taken', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  const only = { noReplace: true, exchange: false };
  fixture.store.putForeign('a', 'one');
  fixture.store.putForeign('taken', 'theirs');
  await fs.lookup({ parent: rootInode, name: 'a' }, defaultCall);
  fixture.store.putForeign('a', 'two two');
  await t.throwsAsync(client.rename('a', 'taken', only), { code: 'EEXIST' } as never);
  await fs.lookup({ parent: rootInode, name: 'a' }, defaultCall);
  await client.list('');
  fixture.store.putForeign('a', 'three');
  fixture.store.putForeign('unseen', 'theirs');
  await t.throwsAsync(client.rename('a', 'unseen', only), { code: 'EEXIST' } as never);
  t.is(fixture.store.contentOf('unseen')?.toString(), 'theirs');
  await client.rename('a', 'free', only);
  t.is(fixture.store.contentOf('free')?.toString(), 'three');
});

test('a file that another client replaced by a directory, or removed, is renamed as such, or is not there', async (t) => {
  const fixture = new Fixture(t);
  const { fs } = fixture.mount();
  for (const name of ['a', 'b']) {
    fixture.store.putForeign(name, 'x');
    await fs.lookup({ parent: rootInode, name }, defaultCall);
    fixture.store.objects.delete(name);
  }
  fixture.store.putForeign('a/f', 'below');
  await fs.rename(
    { parent: rootInode, name: 'a', newParent: rootInode, newName: 'c', flags: plain },
    defaultCall,
  );
  t.is(fixture.store.contentOf('c/f')?.toString(), 'below');
  await t.throwsAsync(
    fs.rename(
      { parent: rootInode, name: 'b', newParent: rootInode, newName: 'd', flags: plain },
      defaultCall,
    ),
    {
      code: 'ENOENT',
    } as never,
  );
});

test('what another client stores below a directory while that is renamed gets the new name', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.makeDirectory('d');
  for (let i = 0; i < 40; i += 1) await client.writeFile(`d/f${i}`, 'old');
  const [opened, unopened] = [await client.open('d/f3'), 'd/f4'];
  const gate = holdBack(fixture, (method, key) => method === 'copy' && key === 'd/f39', 'before');
  const renaming = client.rename('d', 'e');
  await turnsUntil(
    'the others are copied',
    () => gate.arrivals > 0 && fixture.store.requestCount('copy') > 20,
  );
  await manyTurns();
  fixture.clock.advance(1000);
  for (const key of ['d/f3', unopened, 'd/f39', 'd/new', 'd/sub/new'])
    fixture.store.putForeign(key, `their ${key}`);
  fixture.store.putForeign('d/f5', 'old', { metadata: { other: 'kept' } });
  fixture.store.objects.delete('d/f6');
  gate.open();
  await renaming;
  t.deepEqual(
    keysOf(fixture).filter((key) => key.startsWith('d/')),
    [],
  );
  for (const name of ['f3', 'f4', 'f39', 'new', 'sub/new']) {
    t.is(fixture.store.contentOf(`e/${name}`)?.toString(), `their d/${name}`);
    t.is((await client.readFile(`e/${name}`)).toString(), `their d/${name}`);
  }
  t.is(fixture.store.objects.get('e/f5')?.info.metadata['other'], 'kept');
  t.is((await client.readFile('e/f7')).toString(), 'old');
  await opened.close();
});

test('what another client changed below a directory a moment ago is moved as it is now', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  fixture.store.putForeign('d/f', 'one');
  fixture.store.putForeign('d/g', 'one');
  await client.listPlus('d');
  const gate = holdBack(fixture, (method) => method === 'copy', 'before');
  const renaming = client.rename('d', 'e');
  await turnsUntil('it is about to be copied', () => gate.arrivals === 2);
  fixture.store.putForeign('d/f', 'two two');
  fixture.store.objects.delete('d/g');
  gate.open();
  await renaming;
  t.deepEqual(keysOf(fixture), ['e/', 'e/f']);
  t.is((await client.readFile('e/f')).toString(), 'two two');
});

test('a directory rename that meets what another client stores under the new name stops, and removes nothing of theirs', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  for (const name of ['f', 'g']) fixture.store.putForeign(`d/${name}`, `our ${name}`);
  const gate = holdBack(fixture, (method, key) => method === 'copy' && key === 'd/g', 'before');
  const renaming = client.rename('d', 'e');
  await turnsUntil('one is copied', () => gate.arrivals > 0 && fixture.store.objects.has('e/f'));
  fixture.store.putForeign('e/f', 'their f');
  fixture.store.putForeign('e/g', 'their g');
  gate.open();
  await t.throwsAsync(renaming, { code: 'EEXIST' } as never);
  t.deepEqual(keysOf(fixture), ['d/f', 'd/g', 'e/f', 'e/g']);
  t.is(fixture.store.contentOf('e/f')?.toString(), 'their f');
  t.is(fixture.store.contentOf('e/g')?.toString(), 'their g');
});

test('nothing is renamed to a name where another client has made a directory with files', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.makeDirectory('d');
  await client.writeFile('d/x', 'ours');
  await client.writeFile('f', 'a file');
  await client.list('');
  fixture.store.putForeign('e/x', 'theirs');
  fixture.store.putForeign('g', 'theirs');
  await t.throwsAsync(client.rename('d', 'e'), { code: 'ENOTEMPTY' } as never);
  await t.throwsAsync(client.rename('d', 'g'), { code: 'ENOTDIR' } as never);
  await client.list('');
  fixture.store.putForeign('h/x', 'theirs');
  await t.throwsAsync(client.rename('f', 'h'), { code: 'EISDIR' } as never);
  t.is(fixture.store.contentOf('e/x')?.toString(), 'theirs');
  t.deepEqual(keysOf(fixture), ['d/', 'd/x', 'e/x', 'f', 'g', 'h/x']);
});

test('attributes that are set while a file is renamed are stored under the new name', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  await client.writeFile('a', 'content');
  const file = await client.open('a', readFlags);
  const gate = holdBack(fixture, (method) => method === 'copy', 'before');
  const renaming = client.rename('a', 'b');
  await turnsUntil('it is about to be copied', () => gate.arrivals > 0);
  await fs.setAttributes(
    { inode: file.inode, changes: { mode: 0o600, mtime: 5_000_000_000n }, handle: file.handle },
    defaultCall,
  );
  await fs.setExtendedAttribute(
    { inode: file.inode, name: 'user.a', value: Buffer.from('b'), mode: 'either' },
    defaultCall,
  );
  gate.open();
  await renaming;
  await file.close();
  await fs.synchronizeAll('what is closed');
  const metadata = fixture.store.objects.get('b')?.info.metadata ?? {};
  t.is(Number(metadata['mode']), 0o100600);
  t.is(metadata['mtime'], '5.000000000');
  const other = fixture.mount().client;
  const value = await other.withInode('b', (inode) =>
    other.fs.getExtendedAttribute({ inode, name: 'user.a' }, defaultCall),
  );
  t.is(Buffer.from(value).toString(), 'b');
});

for (const held of ['e/', 'd/f'] as const) {
  test(`attributes that are set while a directory is renamed are stored: ${held} is held back`, async (t) => {
    const fixture = new Fixture(t);
    const { client, fs } = fixture.mount();
    await client.makeDirectory('d');
    await client.makeDirectory('d/s');
    await client.writeFile('d/f', 'content');
    await client.withInode('d', (d) =>
      client.withInode('d/s', (s) =>
        client.withInode('d/f', async (f) => {
          const isHeld = (method: string, key: string) =>
            (method === 'put' || method === 'copy') && key === held;
          const gate = holdBack(fixture, isHeld, 'before');
          const renaming = client.rename('d', 'e');
          await turnsUntil('it is under way', () => gate.arrivals > 0);
          for (const inode of [d, s, f])
            await fs.setAttributes({ inode, changes: { mode: 0o700 } }, defaultCall);
          gate.open();
          await renaming;
        }),
      ),
    );
    await fs.synchronizeAll('what is closed');
    for (const key of ['e/', 'e/s/', 'e/f']) {
      t.is(Number(fixture.store.objects.get(key)?.info.metadata['mode']) & 0o777, 0o700, key);
    }
    t.deepEqual(keysOf(fixture), ['e/', 'e/f', 'e/s/']);
  });
}

test('attributes of a directory that were not stored yet are still to be stored when its rename fails', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount({ attributeDelayMs: 1_000_000 });
  await client.makeDirectory('d');
  await client.writeFile('d/f', 'content');
  await client.setAttributes('d', { mode: 0o700 });
  fixture.store.failNext('copy', 'ServerError');
  await t.throwsAsync(client.rename('d', 'e'), { code: 'EIO' } as never);
  await fs.synchronizeAll('what is closed');
  t.is(Number(fixture.store.objects.get('d/')?.info.metadata['mode']) & 0o777, 0o700);
});
