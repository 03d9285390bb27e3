// What an operation has found, and the kernel was not told of, is let go of, also when the operation fails.
import test from 'ava';
import { StoreError } from '../../src/errors.js';
import { rootInode } from '../../src/file-system.js';
import type { StoreMethod } from '../object-store/memory-object-store.js';
import { defaultCall, type FileSystemClient } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';

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
    attempt: ({ fs }) => fs.makeNode(rootInode, 'f', 0o100644, 0, defaultCall),
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
