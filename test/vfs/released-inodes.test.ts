// Inodes and staged content are let go of when the last reason for them to stay has gone, whatever that was.
import test, { type ExecutionContext } from 'ava';
import { StoreError } from '../../src/errors.js';
import { rootInode } from '../../src/file-system.js';
import { HeldClock } from '../clock.js';
import { MemoryObjectStore, type StoreMethod } from '../object-store/memory-object-store.js';
import { manyTurns, turnsUntil } from '../patience.js';
import { defaultCall, type FileSystemClient, writeFlags } from './file-system-client.js';
import { Fixture, metadataTtlMs, type TestMount } from './file-system-fixture.js';

interface Failure {
  readonly attempt: (client: FileSystemClient) => Promise<unknown>;
  readonly code: string;
  /** What the server refuses. */
  readonly refused?: StoreMethod;
}

const failures: Readonly<Record<string, Failure>> = {
  'an open that creates, of what cannot be read': {
    attempt: (client) => client.create('f'),
    code: 'EACCES',
    refused: 'head',
  },
  'an open that creates, of a directory': { attempt: (client) => client.create('d'), code: 'EISDIR' },
  'an open that creates exclusively, of what is there': {
    attempt: (client) => client.create('f', { exclusive: true }),
    code: 'EEXIST',
  },
  'mknod of what is there': {
    attempt: ({ fs }) =>
      fs.makeNode({ parent: rootInode, name: 'f', mode: 0o100644, deviceNumber: 0 }, defaultCall),
    code: 'EEXIST',
  },
  'mkdir of what is there': { attempt: (client) => client.makeDirectory('d'), code: 'EEXIST' },
  'an unlink that is refused': {
    attempt: (client) => client.unlink('f'),
    code: 'EACCES',
    refused: 'delete',
  },
  'an unlink of a directory': { attempt: (client) => client.unlink('d'), code: 'EISDIR' },
  'rmdir of a file': { attempt: (client) => client.removeDirectory('f'), code: 'ENOTDIR' },
  'rmdir that is refused': {
    attempt: (client) => client.removeDirectory('d'),
    code: 'EACCES',
    refused: 'delete',
  },
  'a rename that is refused': {
    attempt: (client) => client.rename('f', 'g'),
    code: 'EACCES',
    refused: 'copy',
  },
};

for (const [what, { attempt, code, refused }] of Object.entries(failures)) {
  test(`${what} leaves no inode behind`, async (t) => {
    const fixture = new Fixture(t);
    fixture.store.putForeign('f', 'content');
    fixture.store.putForeign('d/', '');
    const { client, fs } = fixture.mount();
    fixture.store.beforeRequest = (method) => {
      if (method === refused) throw new StoreError('AccessDenied', 'refused');
    };
    await t.throwsAsync(attempt(client), { code } as never);
    t.is(fs.statisticsOfCaches().inodes, 1, 'but for the root');
  });
}

/** The kernel has forgotten what these leave to the background. */
interface Ending {
  /** What the bucket does not get yet. */
  readonly leave: (client: FileSystemClient) => Promise<unknown>;
  readonly end: (mount: TestMount, fixture: Fixture) => Promise<unknown>;
}

/** `d/f` with content that could not be stored when it was closed. */
async function failToStore(client: FileSystemClient): Promise<void> {
  const file = await client.open('d/f', writeFlags);
  await file.write(0, 'changed');
  await file.close().catch(() => undefined);
}

const changeMode = (client: FileSystemClient, path: string) => client.setAttributes(path, { mode: 0o600 });
const storeAll = ({ fs }: TestMount) => fs.synchronizeAll('what is closed');

const endings: Readonly<Record<string, Ending>> = {
  'content that sync(2) stores': { leave: failToStore, end: storeAll },
  'content of a new file that sync(2) stores': {
    leave: async (client) => {
      const file = await client.create('d/new');
      await file.close().catch(() => undefined);
    },
    end: storeAll,
  },
  'content that is stored by itself': {
    leave: failToStore,
    end: async (_mount, fixture) => {
      fixture.clock.advance(600_000);
      await turnsUntil('it is stored', () => fixture.store.contentOf('d/f')?.toString() === 'changed');
    },
  },
  'content that a rename stores': { leave: failToStore, end: ({ client }) => client.rename('d/f', 'd/g') },
  'content that the rename of the directory stores': {
    leave: failToStore,
    end: ({ client }) => client.rename('d', 'e'),
  },
  'content that the next close stores': {
    leave: failToStore,
    end: async ({ client }) => {
      const file = await client.open('d/f', writeFlags);
      await file.write(0, 'again');
      await file.close();
    },
  },
  'content that fsync of who reads it stores': {
    leave: failToStore,
    end: async ({ client }) => {
      const file = await client.open('d/f');
      await file.synchronize();
      await file.close();
    },
  },
  'content that is unlinked': { leave: failToStore, end: ({ client }) => client.unlink('d/f') },
  'content that another file replaces': {
    leave: failToStore,
    end: ({ client }) => client.rename('other', 'd/f'),
  },
  'content that another client has replaced': {
    leave: failToStore,
    end: async (mount, fixture) => {
      fixture.store.putForeign('d/f', 'theirs, and longer');
      await storeAll(mount);
    },
  },
  'content that truncate(2) could not store': {
    leave: (client) => client.setAttributes('d/f', { size: 1 }).catch(() => undefined),
    end: storeAll,
  },
  'attributes that sync(2) stores': { leave: (client) => changeMode(client, 'd/f'), end: storeAll },
  'attributes of a directory that sync(2) stores': {
    leave: (client) => changeMode(client, 'd'),
    end: storeAll,
  },
  'attributes that a rename takes along': {
    leave: (client) => changeMode(client, 'd/f'),
    end: ({ client }) => client.rename('d/f', 'd/g'),
  },
  'attributes that the rename of the directory takes along': {
    leave: async (client) => {
      await changeMode(client, 'd/f');
      await changeMode(client, 'd');
    },
    end: ({ client }) => client.rename('d', 'e'),
  },
  'attributes of what is unlinked': {
    leave: (client) => changeMode(client, 'd/f'),
    end: ({ client }) => client.unlink('d/f'),
  },
  'attributes of what another client has removed': {
    leave: (client) => changeMode(client, 'd/f'),
    end: async (mount, fixture) => {
      fixture.store.objects.delete('d/f');
      fixture.clock.advance(metadataTtlMs);
      await storeAll(mount);
    },
  },
  'attributes of what is looked up, and another client has replaced': {
    leave: (client) => changeMode(client, 'd/f'),
    end: async (mount, fixture) => {
      fixture.store.putForeign('d/f', 'theirs, and longer');
      fixture.clock.advance(metadataTtlMs);
      await mount.client.stat('d/f');
      await storeAll(mount);
    },
  },
};

/** The inodes of a mount in which `leave` and `end` were done, but for the root. */
async function inodesAfter(t: ExecutionContext, { leave, end }: Ending): Promise<number> {
  const fixture = new Fixture(t, new MemoryObjectStore(), new HeldClock());
  fixture.store.putForeign('d/', '');
  fixture.store.putForeign('d/f', 'content');
  fixture.store.putForeign('other', 'another');
  const mount = fixture.mount({ attributeDelayMs: 1_000_000 });
  const { client, fs } = mount;
  fixture.store.beforeRequest = (method) => {
    if (method === 'put' || method === 'copy') throw new StoreError('AccessDenied', 'refused for a while');
  };
  await leave(client);
  await manyTurns(); // the background fails as well
  t.true(fs.statisticsOfCaches().inodes > 1, 'something is left to store');
  fixture.store.beforeRequest = () => undefined;
  await end(mount, fixture);
  await manyTurns(); // of what the background does of it
  const { inodes, openHandles } = fs.statisticsOfCaches();
  t.is(openHandles, 0);
  return inodes - 1;
}

for (const [what, ending] of Object.entries(endings)) {
  test(`${what} leaves no inode behind`, async (t) => {
    t.is(await inodesAfter(t, ending), 0);
  });
}

test('attributes that are refused for good leave no inode behind', async (t) => {
  const fixture = new Fixture(t);
  fixture.store.putForeign('f', 'content');
  const mount = fixture.mount({ attributeDelayMs: 1_000_000 });
  const { client, fs } = mount;
  await changeMode(client, 'f');
  fixture.store.beforeRequest = (method) => {
    if (method === 'copy') throw new StoreError('AccessDenied', 'refused');
  };
  await storeAll(mount);
  await manyTurns();
  t.is(fs.statisticsOfCaches().inodes, 1);
});
