// How many inodes are known at once, with a kernel that forgets what it is told to forget.
import test from 'ava';
import { rootInode, type Entry, type InodeId, type KernelCaches } from '../../src/file-system.js';
import { manyTurns } from '../patience.js';
import { defaultCall, writeFlags } from './file-system-client.js';
import { Fixture, type TestMount } from './file-system-fixture.js';

const maxKnownInodes = 400;

/** Knows every name that it has looked up until it is told otherwise. */
class Kernel implements KernelCaches {
  readonly known = new Map<string, { readonly inode: InodeId; lookups: number }>();
  /** Names that it does not let go of, since a program uses them. */
  readonly inUse = new Set<string>();
  readonly dropped: string[] = [];
  readonly #fs: TestMount['fs'];

  constructor(fs: TestMount['fs']) {
    this.#fs = fs;
    fs.start(this);
  }

  async lookup(parent: InodeId, name: string): Promise<Entry> {
    const entry = await this.#fs.lookup({ parent, name }, defaultCall);
    const known = this.known.get(`${parent}/${name}`);
    if (known?.inode === entry.inode) known.lookups += 1;
    else this.known.set(`${parent}/${name}`, { inode: entry.inode, lookups: 1 });
    return entry;
  }

  dropInode(): Promise<void> {
    return Promise.resolve();
  }

  async dropEntry(parent: InodeId, name: string): Promise<void> {
    this.dropped.push(name);
    await new Promise<void>((resolve) => setImmediate(resolve));
    const found = this.known.get(`${parent}/${name}`);
    if (!found || this.inUse.has(name)) return;
    this.known.delete(`${parent}/${name}`);
    this.#fs.forget(found.inode, found.lookups);
  }
}

function makeBucket(t: ConstructorParameters<typeof Fixture>[0], count: number): Fixture {
  const fixture = new Fixture(t);
  for (let index = 0; index < count; index += 1) fixture.store.putForeign(`f${index}`, String(index));
  return fixture;
}

test('a walk over many files never has more inodes than the limit, and a few that are on their way', async (t) => {
  const fixture = makeBucket(t, 5000);
  const { fs } = fixture.mount({ maxKnownInodes });
  const kernel = new Kernel(fs);
  let most = 0;
  for (let index = 0; index < 5000; index += 1) {
    await kernel.lookup(rootInode, `f${index}`);
    if (index % 50 === 0) await manyTurns();
    most = Math.max(most, fs.statisticsOfCaches().inodes);
  }
  t.true(most <= maxKnownInodes + 100, String(most));
  t.is(kernel.known.size, fs.statisticsOfCaches().inodes - 1);
  // The oldest went first, and are found again.
  t.false(kernel.dropped.includes('f4999'));
  t.is((await kernel.lookup(rootInode, 'f0')).attributes.size, 1);
  fs.checkInvariants();
});

test('what is open, changed, or a directory is not given back', async (t) => {
  const fixture = makeBucket(t, 2000);
  fixture.store.putForeign('d/f', 'x');
  const { fs, client } = fixture.mount({ maxKnownInodes, attributeDelayMs: 60_000 });
  const kernel = new Kernel(fs);
  const directory = await kernel.lookup(rootInode, 'd');
  await kernel.lookup(rootInode, 'f0');
  const open = await client.open('f0', writeFlags);
  await open.write(0, 'changed');
  await kernel.lookup(rootInode, 'f1');
  await client.setAttributes('f1', { mode: 0o600 });
  for (let index = 2; index < 2000; index += 1) {
    await kernel.lookup(rootInode, `f${index}`);
    if (index % 50 === 0) await manyTurns();
  }
  t.true(kernel.dropped.length > 1000);
  t.deepEqual(
    ['d', 'f0', 'f1'].filter((name) => kernel.dropped.includes(name)),
    [],
  );
  await fs.getAttributes({ inode: directory.inode }, defaultCall);
  await open.close();
  t.is(fixture.store.contentOf('f0')?.toString(), 'changed');
  fs.checkInvariants();
});

test('inodes that the kernel does not let go of are not asked for over and over', async (t) => {
  const fixture = makeBucket(t, 2000);
  const { fs } = fixture.mount({ maxKnownInodes });
  const kernel = new Kernel(fs);
  for (let index = 0; index < 2000; index += 1) kernel.inUse.add(`f${index}`);
  for (let index = 0; index < 2000; index += 1) {
    await kernel.lookup(rootInode, `f${index}`);
    if (index % 50 === 0) await manyTurns();
  }
  t.is(fs.statisticsOfCaches().inodes, 2001);
  // Once for each quarter of the limit that has come, from 400 to 2,000.
  t.true(kernel.dropped.length < 16 * 2000);
  fs.checkInvariants();
});
