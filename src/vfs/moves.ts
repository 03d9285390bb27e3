/**
 * What keeps files and directories under their names while something is stored there, and the order of locks:
 *
 * 1. Renames from one directory to another: one at a time, as Linux has it. Else two could wait for each other, each to move a
 *    directory into the other's.
 * 2. A change of names in a directory: it waits for the renames of that directory and of those above, before it begins.
 * 3. `moving` of a directory, set by its rename: it waits for the changes of names below that have begun. Whatever is to store
 *    something below waits for it, but for what holds one of the following.
 * 4. `lock` of a node, by ids where there are several: its object is stored, moved or removed.
 * 5. `placing` of a file, by ids where there are several: an object is about to appear under its key, or to be moved.
 * 6. The lock of a `StagedFile`: its content is changed or stored.
 *
 * Nobody waits for one of a lower number than one that he holds, with two exceptions that cannot close a circle. The rename of a
 * directory, which is a change of names itself, waits for those below, which are never its own and never above. And before a
 * file is stored under 4, others that copy from its object may have to be stored (5 and 6 of theirs), while 5 and 6 of its own
 * are free. Whoever reads or writes a file holds nothing of 1 to 5, and 6 not either when he has it stored.
 */
import { waitInterruptibly, type Mutex } from '../concurrency/mutex.js';
import {
  ancestorsOf,
  nodesBelow,
  type DirectoryMove,
  type DirectoryNode,
  type FileNode,
  type Node,
} from './nodes.js';

/** The rename under way of the directory itself, or of one above. */
export function moveAbove(node: Node): DirectoryMove | undefined {
  return firstMove(node, () => true);
}

/**
 * Runs `work`, which makes or removes names in these directories, when neither they nor those above are being renamed, and keeps them
 * from being renamed until then. It must not wait for a rename.
 */
export async function whileChangingNames<T>(
  directories: readonly DirectoryNode[],
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  for (;;) {
    const move = directories.map(moveAbove).find((above) => above !== undefined);
    if (!move) break;
    await waitInterruptibly(move.done, signal);
  }
  let finish: () => void = () => undefined;
  const change = new Promise<void>((resolve) => (finish = resolve));
  for (const directory of directories) directory.addNameChange(change);
  try {
    return await work();
  } finally {
    for (const directory of directories) directory.removeNameChange(change);
    finish();
  }
}

/**
 * Runs `work`, which makes an object appear under the file's key, when nobody moves the file, and keeps it from being moved until then.
 * The rename of a directory is waited for once it has what it needs: before, it may wait for the caller.
 */
export async function whileInPlace<T>(
  node: FileNode,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  for (;;) {
    const release = await node.placing.acquire(signal);
    try {
      const move = firstMove(node, ({ isExclusive }) => isExclusive);
      if (!move) return await work();
      release();
      await waitInterruptibly(move.done, signal);
    } finally {
      release();
    }
  }
}

/**
 * Keeps everything in place that is at or below `directory`, whose `moving` is set, while `action` gives it other keys. `prepare` is
 * called for each file before, under its lock.
 */
export async function whileMoving(
  directory: DirectoryNode,
  move: DirectoryMove,
  prepare: (file: FileNode) => Promise<void>,
  action: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const locks = new HeldLocks();
  try {
    await nameChangesBelow(directory, signal);
    for (;;) {
      const added = await locks.acquireNew([...nodesBelow(directory)], (node) => node.lock, signal);
      if (added.length === 0) break;
      for (const node of added) if (node.kind === 'file') await prepare(node);
    }
    // Files that are looked up from now on cannot be stored: that waits for `moving`.
    for (;;) {
      const files = [...nodesBelow(directory)].filter((node) => node.kind === 'file');
      if ((await locks.acquireNew(files, (file) => file.placing, signal)).length === 0) break;
    }
    move.isExclusive = true;
    await action();
  } finally {
    locks.release();
  }
}

/** Resolves when all changes of names that had begun before the rename have ended. */
async function nameChangesBelow(directory: DirectoryNode, signal: AbortSignal): Promise<void> {
  for (const node of [...nodesBelow(directory)]) {
    if (node.kind !== 'directory' || node.nameChanges.size === 0) continue;
    await waitInterruptibly(Promise.all(node.nameChanges), signal);
  }
}

class HeldLocks {
  readonly #held = new Map<Mutex, () => void>();

  /** Takes those that are not held yet, in the order of ids, and returns their nodes. */
  async acquireNew<T extends Node>(
    nodes: readonly T[],
    lockOf: (node: T) => Mutex,
    signal: AbortSignal,
  ): Promise<readonly T[]> {
    const added = nodes.filter((node) => !this.#held.has(lockOf(node))).sort((a, b) => a.id - b.id);
    for (const node of added) {
      const lock = lockOf(node);
      this.#held.set(lock, await lock.acquire(signal));
    }
    return added;
  }

  release(): void {
    for (const release of this.#held.values()) release();
  }
}

function firstMove(node: Node, isWanted: (move: DirectoryMove) => boolean): DirectoryMove | undefined {
  if (node.kind === 'directory' && node.moving && isWanted(node.moving)) return node.moving;
  for (const { moving } of ancestorsOf(node)) if (moving && isWanted(moving)) return moving;
  return undefined;
}
