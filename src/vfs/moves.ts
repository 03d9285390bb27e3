/**
 * What keeps files and directories under their names while something is stored there, and the order of locks:
 *
 * 1. `moving` of a directory, set by its rename: whatever is to store below it waits, but for what holds a lock of 2.
 * 2. `lock` of a node, by ids where there are several: its object is stored, moved or removed.
 * 3. `placing` of a file, by ids where there are several: an object is about to appear under its key, or to be moved.
 * 4. The lock of a `StagedFile`: its content is changed or stored.
 *
 * Nobody waits for a lock of a lower number than one that he holds, with one exception that cannot close a circle: before 2 is used to
 * store one file, others that copy from its object may have to be stored (3 and 4 of theirs), while 3 and 4 of its own are free.
 * Whoever reads or writes a file holds nothing of 1 to 3, and 4 not either when he has it stored.
 */
import { waitInterruptibly, type Mutex } from './mutex.js';
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
