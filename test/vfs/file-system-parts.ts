/** The parts of a file system over a bucket in memory, for tests of one of them: without the calls of a kernel. */
import type { ExecutionContext } from 'ava';
import { buildParts, type BucketFileSystemOptions } from '../../src/vfs/file-system-parts.js';
import type { DirectoryNode, FileNode, Node } from '../../src/vfs/nodes.js';
import { HeldClock } from '../clock.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { defaultCall } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';

export const { signal } = defaultCall;

const noKernel = { dropInode: () => Promise.resolve(), dropEntry: () => Promise.resolve() };

export function makeParts(t: ExecutionContext, given: Partial<BucketFileSystemOptions> = {}) {
  const clock = new HeldClock();
  const fixture = new Fixture(t, new MemoryObjectStore({ minPartSize: 64 }), clock);
  const { options, reader, area, lines } = fixture.makeOptions(given);
  const parts = buildParts(options, () => noKernel);
  const { inodes, contents, writeBack, finder } = parts;
  t.teardown(async () => {
    await writeBack.giveUp();
    for (const node of inodes.nodes()) if (node.kind === 'file') await contents.close(node);
    reader.stop();
    await area.stop();
  });
  const { root } = inodes;
  return {
    ...parts,
    store: fixture.store,
    clock,
    fixture,
    lines,
    root,
    /** The file of this name at the root, which the bucket has. */
    file: async (name: string): Promise<FileNode> => asFile(await finder.requireChild(root, name, signal)),
    directory: async (name: string): Promise<DirectoryNode> =>
      asDirectory(await finder.requireChild(root, name, signal)),
    /** Changes its content as a program would that has it open. */
    write: async (node: FileNode, text: string): Promise<void> => {
      const content = contents.of(node);
      await content.truncate(0, signal);
      await content.write(0, Buffer.from(text), signal);
      node.changes += 1;
    },
  };
}

export function asFile(node: Node | undefined): FileNode {
  if (node?.kind !== 'file') throw new Error('not a file');
  return node;
}

export function asDirectory(node: Node | undefined): DirectoryNode {
  if (node?.kind !== 'directory') throw new Error('not a directory');
  return node;
}
