/** What was copied with copy_file_range is there in the end, whatever becomes of its source before it is stored. */
import test from 'ava';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { writeFlags, type OpenFile } from './file-system-client.js';
import { Fixture, type TestMount } from './file-system-fixture.js';

/** More than the cache has, and than one PUT takes. */
const size = 10 * 1024 * 1024;
const content = Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));

/** `d/source`, open, and `target`, which is to have all of it and is not stored yet. */
async function copySource({ client, fs }: TestMount): Promise<{ source: OpenFile; target: OpenFile }> {
  await client.makeDirectory('d');
  await client.writeFile('d/source', content);
  const source = await client.open('d/source', writeFlags);
  const target = await client.create('target');
  const [from, to] = [source, target];
  const copied = await fs.copyFileRange({ from: from.at(0), to: to.at(0), length: size }, client.call);
  if (copied !== size) throw new Error(`${copied} bytes were copied at once`);
  return { source, target };
}

type Action = (mount: TestMount, source: OpenFile) => Promise<unknown>;

const actions: Record<string, Action> = {
  'is removed': ({ client }) => client.unlink('d/source'),
  'is closed and removed': async ({ client }, source) => {
    await source.close();
    await client.unlink('d/source');
  },
  'is replaced by a rename': async ({ client }) => {
    const other = await client.create('d/other');
    await other.write(0, 'other');
    await other.close();
    await client.rename('d/other', 'd/source');
  },
  'is changed and stored': async (_mount, source) => {
    await source.write(5, 'changed');
    await source.synchronize();
  },
  'is made empty and stored': async (_mount, source) => {
    await source.truncate(0);
    await source.synchronize();
  },
  'is moved': ({ client }) => client.rename('d/source', 'd/moved'),
  'is moved with its directory': ({ client }) => client.rename('d', 'e'),
  'is closed and moved': async ({ client }, source) => {
    await source.close();
    await client.rename('d/source', 'd/moved');
  },
  'is closed and moved with its directory': async ({ client }, source) => {
    await source.close();
    await client.rename('d', 'e');
  },
};

for (const [what, action] of Object.entries(actions)) {
  test(`a copied range is stored though its source ${what}`, async (t) => {
    const fixture = new Fixture(t, new MemoryObjectStore());
    const mount = fixture.mount();
    const { source, target } = await copySource(mount);
    await action(mount, source);
    t.true((await target.read(size - 1000, 1000)).equals(content.subarray(size - 1000)));
    await target.close();
    t.true(fixture.store.contentOf('target')?.equals(content));
    t.false([...fixture.store.objects.keys()].some((key) => key.includes('conflict')));
  });
}

test('two files that have a range of each other are closed at the same time', async (t) => {
  const fixture = new Fixture(t, new MemoryObjectStore());
  const { client, fs } = fixture.mount();
  const contents = ['a', 'b'].map((name) => Buffer.alloc(size, name));
  for (const [i, name] of ['a', 'b'].entries()) await client.writeFile(name, contents[i] as Buffer);
  const [a, b] = [await client.open('a', writeFlags), await client.open('b', writeFlags)];
  const half = size / 2;
  const [first, second] = [
    fs.copyFileRange({ from: a.at(0), to: b.at(0), length: half }, client.call),
    fs.copyFileRange({ from: b.at(half), to: a.at(half), length: half }, client.call),
  ];
  t.deepEqual([(await first) > 0, (await second) > 0], [true, true]);
  const [copiedToB, copiedToA] = [await first, await second];
  await Promise.all([a.close(), b.close()]);
  const expectedB = Buffer.from(contents[1] as Buffer).fill('a', 0, copiedToB);
  const expectedA = Buffer.from(contents[0] as Buffer).fill('b', half, half + copiedToA);
  t.true(fixture.store.contentOf('a')?.equals(expectedA));
  t.true(fixture.store.contentOf('b')?.equals(expectedB));
});
