// Attributes that are stored a while after they were changed never bring back what was removed or moved meanwhile.
import test, { type ExecutionContext } from 'ava';
import { makeDeferred } from '../../src/concurrency/deferred.js';
import { manyTurns, turnsUntil } from '../patience.js';
import type { InodeId } from '../../src/file-system.js';
import type { FileSystemClient } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';

interface Case {
  readonly title: string;
  /** Whose attributes are on their way. */
  readonly path: string;
  readonly change: (client: FileSystemClient) => Promise<void>;
  /** Of the bucket afterwards. */
  readonly keys: readonly string[];
}

const cases: readonly Case[] = [
  { title: 'rmdir', path: 'd/e', change: (client) => client.removeDirectory('d/e'), keys: ['d/', 'd/f'] },
  { title: 'unlink', path: 'd/f', change: (client) => client.unlink('d/f'), keys: ['d/', 'd/e/'] },
  {
    title: 'rename of a directory',
    path: 'd/e',
    change: (client) => client.rename('d/e', 'g'),
    keys: ['d/', 'd/f', 'g/'],
  },
  {
    title: 'rename of a directory above',
    path: 'd/e',
    change: (client) => client.rename('d', 'g'),
    keys: ['g/', 'g/e/', 'g/f'],
  },
  {
    title: 'rename of a directory above, of a file',
    path: 'd/f',
    change: (client) => client.rename('d', 'g'),
    keys: ['g/', 'g/e/', 'g/f'],
  },
  {
    title: 'rename of a file',
    path: 'd/f',
    change: (client) => client.rename('d/f', 'd/g'),
    keys: ['d/', 'd/e/', 'd/g'],
  },
];

/** d with a directory e and a file f. */
async function make(t: ExecutionContext) {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  await client.makeDirectory('d');
  await client.makeDirectory('d/e');
  await client.writeFile('d/f', 'x');
  await fs.synchronizeAll('everything');
  return { fixture, client, fs };
}

for (const { title, path, change, keys } of cases) {
  test(`${title} waits for attributes that are being stored`, async (t) => {
    const { fixture, client, fs } = await make(t);
    const write = fixture.holdFirstWrite();
    await client.setAttributes(path, { mode: 0o700 });
    await turnsUntil('the background stores them', write.isHeld);
    const changed = change(client);
    await manyTurns(); // in which it would get to its end
    write.letGo();
    await changed;
    await fs.stop();
    await manyTurns(); // for what nobody waits for
    t.deepEqual([...fixture.store.objects.keys()].sort(), keys);
  });

  test(`attributes that are to be stored come too late for ${title}`, async (t) => {
    const { fixture, client, fs } = await make(t);
    const late = makeDeferred<undefined>();
    let inode: InodeId = 0;
    let done: Promise<unknown> | undefined;
    fixture.store.beforeRequest = async (method, key) => {
      if (done) {
        if ((method === 'put' || method === 'copy') && key.startsWith(path)) await late.promise;
      } else if (method === 'delete' || method === 'deleteMany') {
        // While the old name is being deleted.
        done = fs.setAttributes({ inode, changes: { mode: 0o700 } }, client.call);
        await manyTurns();
      }
    };
    await client.withInode(path, async (held) => {
      inode = held; // the kernel knows it throughout
      await change(client);
    });
    late.resolve(undefined);
    await done;
    await fs.stop();
    await manyTurns(); // for what nobody waits for
    t.deepEqual([...fixture.store.objects.keys()].sort(), keys);
  });
}
