// Directories whose marker is under another customer key, or may not be read or made.
import test from 'ava';
import { StoreError, type StoreErrorCode } from '../../src/errors.js';
import { Fixture, metadataTtlMs } from './file-system-fixture.js';

for (const code of ['WrongCustomerKey', 'AccessDenied'] satisfies StoreErrorCode[]) {
  test(`what is in a directory is removed, renamed and made though its marker gives ${code}`, async (t) => {
    const fixture = new Fixture(t);
    const { client } = fixture.mount();
    for (const key of ['d/', 'd/f', 'd/g', 'd/s/'])
      fixture.store.putForeign(key, key.endsWith('/') ? '' : 'mine');
    fixture.store.beforeRequest = (method, key) => {
      if ((method === 'head' || method === 'get') && key === 'd/') throw new StoreError(code, 'refused');
    };
    await client.unlink('d/f');
    await client.rename('d/g', 'h');
    await client.removeDirectory('d/s');
    await client.writeFile('d/new', 'new');
    t.deepEqual([...fixture.store.objects.keys()].sort(), ['d/', 'd/new', 'h']);
    t.deepEqual(await client.list('d'), ['new']);
  });

  test(`a mount of a prefix works when the TTL is over though the marker of its root gives ${code}`, async (t) => {
    const fixture = new Fixture(t);
    const { client } = fixture.mount({ prefix: 'p/' });
    fixture.store.putForeign('p/', '');
    fixture.store.putForeign('p/f', 'mine');
    fixture.store.beforeRequest = (method, key) => {
      if (method === 'head' && key === 'p/') throw new StoreError(code, 'refused');
    };
    fixture.clock.advance(metadataTtlMs + 1000);
    t.is((await client.stat('')).mode & 0o170000, 0o40000);
    t.is((await client.readFile('f')).toString(), 'mine');
    await client.writeFile('g', 'new');
    t.deepEqual(await client.list(''), ['f', 'g']);
  });
}

test('rm and rmdir need no right to put', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  for (const key of ['d/f', 'd/g', 'd/s/']) fixture.store.putForeign(key, '');
  fixture.store.beforeRequest = (method) => {
    if (method === 'put') throw new StoreError('AccessDenied', 'may not put');
  };
  await client.unlink('d/f');
  await client.removeDirectory('d/s');
  t.deepEqual([...fixture.store.objects.keys()], ['d/g']);
});

test('a name that is not there is made, where the server refuses to say so', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  fixture.store.beforeRequest = (method, key) => {
    if (method === 'head' && !fixture.store.objects.has(key)) throw new StoreError('AccessDenied', 'refused');
  };
  await t.throwsAsync(client.open('f'), { code: 'ENOENT' } as never);
  for (const name of ['f', 'g']) {
    const file = await client.create(name, { exclusive: name === 'f' });
    await file.write(0, name);
    await file.close();
    t.is(fixture.store.contentOf(name)?.toString(), name);
  }
  await t.throwsAsync(client.create('f', { exclusive: true }), { code: 'EEXIST' } as never);
});
