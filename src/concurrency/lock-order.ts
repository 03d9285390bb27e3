/**
 * The order of locks. No task waits for a lock of a lower rank than one that it holds, so that no circle can close:
 *
 * | rank | lock | held while |
 * | --- | --- | --- |
 * | 1 | renames across directories (`vfs/renamer.ts`) | something moves from one directory to another: one at a time, as on Linux |
 * | 2 | changes of names in a directory (`vfs/moves.ts`; no mutex) | an entry is made, moved or removed |
 * | 3 | `moving` of a directory (`vfs/moves.ts`; no mutex) | the directory is renamed |
 * | 4 | `lock` of a node, by ids where there are several | its object is stored, moved or removed |
 * | 5 | `placing` of a file, by ids where there are several | an object is about to appear under its key, or to be moved |
 * | 6 | lock of a staged file | its content is changed or stored |
 * | 7 | staging memory (no mutex) | a write waits for room |
 * | 8 | upload limiter | a body is put together and sent |
 * | 9 | fetch queue (no mutex) | a block is fetched |
 * | 10 | the one body that needs other requests | it is sent |
 * | 11 | request slots | a request is under way |
 *
 * `vfs/moves.ts` says how 1 to 6 go together, and which two waits are exceptions.
 *
 * Tests check it: a task that waits in the wrong order, or for a lock that it holds itself, is found even if nothing locks up.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** The ranks of the locks that are mutexes or limiters. */
export const lockRanks = {
  directoryMoves: 1,
  node: 4,
  place: 5,
  content: 6,
  uploads: 8,
} as const;

/** What can be held. Rank 0: it has no place in the order. */
export interface RankedLock {
  readonly rank: number;
}

interface Held {
  readonly locks: readonly RankedLock[];
  readonly outer: Held | undefined;
  /** False when the holder is done: work that it began and that goes on sees this. */
  isHeld: boolean;
}

class LockOrder {
  /** Undefined outside tests: checking costs nothing then. */
  #held: AsyncLocalStorage<Held> | undefined;
  readonly #violations: string[] = [];

  /** For tests: from now on every wait is checked. */
  watch(): void {
    this.#held ??= new AsyncLocalStorage();
  }

  /** Returns what was found since the last call. */
  takeViolations(): string[] {
    return this.#violations.splice(0);
  }

  /** Call it before a wait for `lock`. Throws if that is in the wrong order, and records it. */
  check(lock: RankedLock): void {
    if (!this.#held || lock.rank === 0) return;
    for (let held = this.#held.getStore(); held; held = held.outer) {
      const wrong = held.isHeld && held.locks.find((other) => other === lock || other.rank > lock.rank);
      if (!wrong) continue;
      const problem =
        wrong === lock
          ? `who holds a lock of rank ${lock.rank} waits for it`
          : `who holds a lock of rank ${wrong.rank} waits for one of rank ${lock.rank}`;
      this.#violations.push(problem);
      throw new Error(problem);
    }
  }

  /** Runs `action`, which holds `locks`. */
  holding<T>(locks: Iterable<RankedLock>, action: () => Promise<T>): Promise<T> {
    const context = this.#held;
    if (!context) return action();
    const held: Held = { locks: [...locks], outer: context.getStore(), isHeld: true };
    return context.run(held, async () => {
      try {
        return await action();
      } finally {
        held.isHeld = false;
      }
    });
  }

  /** For tests: runs `action` as a task that holds nothing, such as another program. */
  outside<T>(action: () => T): T {
    return this.#held ? this.#held.exit(action) : action();
  }
}

/** The one of this process. */
export const lockOrder = new LockOrder();
