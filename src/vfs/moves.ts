/**
 * What keeps files and directories under their names while something is stored there: ranks 1 to 6 of the order of locks, which
 * `concurrency/lock-order.ts` lists.
 *
 * - A change of names (2) waits for the renames of that directory and of those above, before it begins. The rename of a directory
 *   sets its `moving` (3) and waits for the changes of names below that have begun. A store of something below waits for `moving`,
 *   unless it already holds a lock of 4 to 6.
 * - Renames from one directory to another go one at a time (1). Else two could wait for each other, each to move a directory into
 *   the other's.
 * - A read or write of a file holds nothing of 1 to 5, and gives up 6 while it has the file stored.
 *
 * Two waits are exceptions that cannot close a circle. The rename of a directory, which is a change of names itself, waits for those
 * below, which are never its own and never above. And before a file is stored under 4, others that copy from its object may have to
 * be stored (5 and 6 of theirs), while 5 and 6 of its own are free.
 */
import { makeGate } from '../concurrency/deferred.js';
import { abortable } from '../concurrency/abortable.js';
import { lockOrder } from '../concurrency/lock-order.js';
import type { Mutex } from '../concurrency/mutex.js';
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
    await abortable(move.done, signal);
  }
  const { opened: change, open: finish } = makeGate();
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
    const outcome = await node.placing.run(async () => {
      const move = firstMove(node, ({ isExclusive }) => isExclusive);
      return move ? { move } : { result: await work() };
    }, signal);
    if (outcome.move === undefined) return outcome.result;
    await abortable(outcome.move.done, signal);
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
      for (const node of added) if (node.kind === 'file') await locks.holding(() => prepare(node));
    }
    // Files that are looked up from now on cannot be stored: that waits for `moving`.
    for (;;) {
      const files = [...nodesBelow(directory)].filter((node) => node.kind === 'file');
      if ((await locks.acquireNew(files, (file) => file.placing, signal)).length === 0) break;
    }
    move.isExclusive = true;
    await locks.holding(action);
  } finally {
    locks.release();
  }
}

/** Resolves when all changes of names that had begun before the rename have ended. */
async function nameChangesBelow(directory: DirectoryNode, signal: AbortSignal): Promise<void> {
  for (const node of [...nodesBelow(directory)]) {
    if (node.kind !== 'directory' || node.nameChanges.size === 0) continue;
    await abortable(Promise.all(node.nameChanges), signal);
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

  /** Runs `action`, which takes other locks. */
  holding(action: () => Promise<void>): Promise<void> {
    return lockOrder.holding(this.#held.keys(), action);
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
