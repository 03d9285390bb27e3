// Names that are not there: what another client makes is found soon, and who looks for many has few requests to wait for.
import test from 'ava';
import { FsError } from '../../src/errors.js';
import { rootInode } from '../../src/file-system.js';
import { stemOf } from '../../src/vfs/absent-names.js';
import type { FileSystemClient } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';

const negativeTtlMs = 1000;

async function isThere(client: FileSystemClient, path: string): Promise<boolean> {
  try {
    await client.stat(path);
    return true;
  } catch (error) {
    if (error instanceof FsError && error.code === 'ENOENT') return false;
    throw error;
  }
}

/** As the kernel does with a directory that it has looked up. */
async function know(client: FileSystemClient, name: string): Promise<void> {
  client.hold((await client.fs.lookup({ parent: rootInode, name }, client.call)).inode);
}

for (const [size, count] of [
  ['small', 10],
  ['large', 2500],
] as const) {
  test(`what another client makes in a ${size} directory after a listing is found within the time for absent names`, async (t) => {
    const fixture = new Fixture(t);
    for (let index = 0; index < count; index += 1) fixture.store.putForeign(`d/m${index}`, 'x');
    const { client } = fixture.mount();
    await know(client, 'd');
    await know(client, 'd');
    await client.list('d');
    // Before, between and behind what is there.
    const names = ['a', 'm5-new', 'z9'];
    for (const name of names) t.false(await isThere(client, `d/${name}`), name);
    for (const name of names) fixture.store.putForeign(`d/${name}`, 'text');
    fixture.store.putForeign('d/sub/f', 'text');
    fixture.clock.advance(negativeTtlMs);
    for (const name of names) t.is((await client.readFile(`d/${name}`)).toString(), 'text', name);
    t.is((await client.readFile('d/sub/f')).toString(), 'text');
    const listed = await client.list('d');
    t.deepEqual(
      [...names, 'sub'].filter((name) => !listed.includes(name)),
      [],
    );
  });
}

test('what was looked for in vain is found when it has been made, and what was removed here stays away', async (t) => {
  const fixture = new Fixture(t);
  fixture.store.putForeign('d/f', 'x');
  const { client } = fixture.mount();
  await know(client, 'd');
  for (const name of ['a', 'b', 'c', 'd']) t.false(await isThere(client, `d/${name}`));
  await client.writeFile('d/own', 'own');
  await client.unlink('d/own');
  fixture.clock.advance(negativeTtlMs);
  t.false(await isThere(client, 'd/own'));
  fixture.store.putForeign('d/own', 'theirs');
  fixture.store.putForeign('d/a', 'theirs');
  t.false(await isThere(client, 'd/a'));
  fixture.clock.advance(negativeTtlMs);
  t.true(await isThere(client, 'd/a'));
  t.is((await client.readFile('d/own')).toString(), 'theirs');
  await client.unlink('d/own');
  t.false(await isThere(client, 'd/own'));
});

test('thousands of missing names in a burst cost one request, and another one in the next second', async (t) => {
  const fixture = new Fixture(t);
  for (let index = 0; index < 50; index += 1) fixture.store.putForeign(`lib/module${index}.py`, 'x');
  const { client } = fixture.mount();
  await know(client, 'lib');
  await client.list('lib');
  fixture.clock.advance(negativeTtlMs);
  const burst = async () => {
    fixture.store.resetCounters();
    const suffixes = ['', '.cpython-311-x86_64-linux-gnu.so', '.abi3.so', '.so', '.py', '.pyc'];
    for (let index = 0; index < 500; index += 1) {
      await Promise.all(suffixes.map((suffix) => isThere(client, `lib/missing${index}${suffix}`)));
    }
    return fixture.store.requestCount();
  };
  t.is(await burst(), 1);
  t.is(await burst(), 0);
  fixture.clock.advance(negativeTtlMs);
  t.is(await burst(), 1);
});

test('new files that are made one after the other in a large directory cost few requests beside their own', async (t) => {
  const fixture = new Fixture(t);
  for (let index = 0; index < 2500; index += 1) fixture.store.putForeign(`d/old${index}`, 'x');
  const { client } = fixture.mount();
  await know(client, 'd');
  await client.list('d');
  fixture.clock.advance(negativeTtlMs);
  fixture.store.resetCounters();
  for (let index = 1000; index < 1400; index += 1) await client.writeFile(`d/part-${index}.csv`, 'text');
  t.is(fixture.store.requestCount('put'), 400);
  t.true(
    fixture.store.requestCount('list', 'head') <= 10,
    String(fixture.store.requestCount('list', 'head')),
  );
});

test('a question that fails is not taken for an answer, and asked again', async (t) => {
  const fixture = new Fixture(t);
  fixture.store.putForeign('d/f', 'x');
  const { client } = fixture.mount();
  await know(client, 'd');
  await client.list('d');
  fixture.store.putForeign('d/new', 'text');
  fixture.clock.advance(negativeTtlMs);
  fixture.store.failNext('list', 'Unreachable');
  await t.throwsAsync(client.stat('d/new'), { instanceOf: FsError, code: 'EIO' });
  t.true(await isThere(client, 'd/new'));
});

test('names that are numbered have a common stem', (t) => {
  t.deepEqual(['part-017.csv', 'f1', 'img2024-1.png', 'README', '7'].map(stemOf), [
    'part-0',
    'f',
    'img2024-',
    'README',
    '',
  ]);
});
