// Attributes that another client changes: the same bytes, so on Ceph the same ETag.
import test from 'ava';
import { Fixture, metadataTtlMs } from './file-system-fixture.js';

/** As another client's chmod and chown do. */
function changeElsewhere(fixture: Fixture, key: string, changes: Readonly<Record<string, string>>): void {
  const { info, bytes } = fixture.store.objects.get(key)!;
  fixture.store.putForeign(key, bytes, { metadata: { ...info.metadata, ...changes } });
}

const changes = { mode: String(0o100600), uid: '7', title: 'theirs' };

for (const afterMs of [0, 300, 900, 3_000, 60_000]) {
  test(`attributes changed elsewhere ${afterMs} ms after a file was written here show when it is listed again`, async (t) => {
    const fixture = new Fixture(t);
    const { client } = fixture.mount();
    await client.writeFile('f', 'content');
    fixture.clock.advance(afterMs);
    changeElsewhere(fixture, 'f', changes);
    for (let look = 0; look < 2; look += 1) {
      fixture.clock.advance(metadataTtlMs);
      const shown = (await client.listPlus('')).get('f');
      t.is(shown && shown.mode & 0o777, 0o600);
      t.is(shown?.uid, 7);
    }
  });
}

for (const exact of [true, false]) {
  const times = exact ? 'milliseconds' : 'whole seconds';
  test(`attributes changed elsewhere right after a look at the file show, where listings tell ${times}`, async (t) => {
    const fixture = new Fixture(t);
    const { client } = fixture.mount();
    const list = fixture.store.list.bind(fixture.store);
    if (!exact) {
      fixture.store.list = async (request, signal) => {
        const page = await list(request, signal);
        const cut = (timeMs: number) => Math.floor(timeMs / 1000) * 1000;
        const objects = page.objects.map((object) => ({
          ...object,
          lastModifiedMs: cut(object.lastModifiedMs),
        }));
        return { ...page, objects };
      };
    }
    await client.makeDirectory('d');
    fixture.clock.advance(1020);
    fixture.store.putForeign('d/f', 'content', { metadata: { mode: String(0o100640) } });
    await client.withInode('d/f', async () => {
      t.is((await client.stat('d/f')).mode & 0o777, 0o640);
      fixture.clock.advance(100);
      changeElsewhere(fixture, 'd/f', changes);
      for (let look = 0; look < 2; look += 1) {
        fixture.clock.advance(metadataTtlMs);
        t.is((await client.listPlus('d')).get('f')!.mode & 0o777, 0o600);
        t.is((await client.stat('d/f')).mode & 0o777, 0o600);
      }
    });
  });
}

test('a file that was written here is asked for once more, and not again', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.writeFile('f', 'content');
  fixture.clock.advance(metadataTtlMs);
  await client.listPlus('');
  fixture.store.resetCounters();
  for (let look = 0; look < 3; look += 1) {
    fixture.clock.advance(metadataTtlMs);
    await client.listPlus('');
  }
  t.is(fixture.store.requestCount('head'), 0);
});

test('a chmod keeps what another client has changed beside it', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  const xattr = (names: readonly string[]) =>
    encodeURIComponent(JSON.stringify(Object.fromEntries(names.map((name) => [`user.${name}`, 'YQ==']))));
  const metadata = { mode: String(0o100640), uid: '500', gid: '500', mtime: '5', xattr: xattr(['a', 'b']) };
  fixture.store.putForeign('f', 'content', { metadata });
  await client.withInode('f', async () => {
    changeElsewhere(fixture, 'f', { ...changes, xattr: xattr(['b', 'c']) });
    await client.setAttributes('f', { mode: 0o604 });
    await client.setAttributes('f', { gid: 9 });
    await fs.synchronizeAll('what is closed');
  });
  const stored = fixture.store.objects.get('f')?.info.metadata;
  t.like(stored, { mode: String(0o100604), uid: '7', gid: '9', title: 'theirs' });
  t.deepEqual(Object.keys(JSON.parse(decodeURIComponent(stored?.['xattr'] ?? '')) as object).sort(), [
    'user.b',
    'user.c',
  ]);
  t.is((await client.stat('f')).uid, 7);
  t.is(String(fixture.store.contentOf('f')), 'content');
});
