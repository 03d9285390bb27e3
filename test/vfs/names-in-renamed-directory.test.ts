// Names that are made, moved and removed in a directory while that one, or one above, is renamed.
import test from 'ava';
import { manyTurns, turnsUntil } from '../patience.js';
import type { FileSystemClient } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';

interface Change {
  readonly act: (client: FileSystemClient) => Promise<unknown>;
  /** Its last request. */
  readonly method: string;
  /** What is below `e/s/` afterwards. */
  readonly below: readonly string[];
}

const changes: Record<string, Change> = {
  mkdir: { act: (client) => client.makeDirectory('d/s/new'), method: 'put', below: ['f', 'new/', 't/'] },
  symlink: { act: (client) => client.makeSymlink('x', 'd/s/new'), method: 'put', below: ['f', 'new', 't/'] },
  unlink: { act: (client) => client.unlink('d/s/f'), method: 'delete', below: ['t/'] },
  rmdir: { act: (client) => client.removeDirectory('d/s/t'), method: 'delete', below: ['f'] },
  'rename of a file to it': {
    act: (client) => client.rename('g', 'd/s/g'),
    method: 'copy',
    below: ['f', 'g', 't/'],
  },
  'rename of a file from it': { act: (client) => client.rename('d/s/f', 'h'), method: 'copy', below: ['t/'] },
  'rename of a directory to it': {
    act: (client) => client.rename('c', 'd/s/c'),
    method: 'deleteMany',
    below: ['c/', 'c/f', 'f', 't/'],
  },
};

for (const [what, { act, method, below }] of Object.entries(changes)) {
  test(`${what} in a directory that is renamed meanwhile is seen under the new name`, async (t) => {
    const fixture = new Fixture(t);
    const { client } = fixture.mount();
    for (const directory of ['c', 'd', 'd/s', 'd/s/t']) await client.makeDirectory(directory);
    for (const file of ['g', 'c/f', 'd/s/f']) await client.writeFile(file, 'content');
    let open: () => void = () => undefined;
    const passage = new Promise<void>((resolve) => (open = resolve));
    let isHeld = false;
    fixture.store.beforeRequest = (called) => {
      if (called !== method || isHeld) return undefined;
      isHeld = true;
      return passage;
    };
    const changing = act(client);
    await turnsUntil('it is under way', () => isHeld);
    const renaming = client.rename('d', 'e');
    await manyTurns();
    open();
    await Promise.all([changing, renaming]);
    const keys = [...fixture.store.objects.keys()].sort();
    t.deepEqual(
      keys.filter((key) => key.startsWith('d/')),
      [],
    );
    t.deepEqual(
      keys.filter((key) => key.startsWith('e/s/') && key !== 'e/s/').map((key) => key.slice('e/s/'.length)),
      below,
    );
    const listed = await client.list('e/s');
    t.deepEqual(listed, [...new Set(below.map((key) => key.split('/')[0] ?? ''))]);
  });
}

test('two directories that are renamed into each other at once do not wait for each other for ever', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  for (const directory of ['a', 'b']) await client.makeDirectory(directory);
  for (const file of ['a/f', 'b/g']) await client.writeFile(file, 'content');
  const [one, other] = await Promise.allSettled([client.rename('a', 'b/a'), client.rename('b', 'a/b')]);
  t.is([one, other].filter(({ status }) => status === 'fulfilled').length, 1);
  const files = [...fixture.store.objects.keys()].filter((key) => !key.endsWith('/')).sort();
  t.deepEqual(files, one.status === 'fulfilled' ? ['b/a/f', 'b/g'] : ['a/b/g', 'a/f']);
});

test('attributes of a directory below that are being stored get the new name', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  for (const directory of ['d', 'd/s']) await client.makeDirectory(directory);
  let open: () => void = () => undefined;
  const passage = new Promise<void>((resolve) => (open = resolve));
  let isHeld = false;
  fixture.store.beforeRequest = (method, key) => {
    if (method !== 'put' || key !== 'd/s/') return undefined;
    isHeld = true;
    return passage;
  };
  await client.setAttributes('d/s', { mode: 0o700 });
  await turnsUntil('it is being stored', () => isHeld);
  const renaming = client.rename('d', 'e');
  await manyTurns();
  open();
  await renaming;
  await fs.synchronizeAll('what is closed');
  t.deepEqual([...fixture.store.objects.keys()].sort(), ['e/', 'e/s/']);
  t.is(Number(fixture.store.objects.get('e/s/')?.info.metadata['mode']) & 0o777, 0o700);
});
