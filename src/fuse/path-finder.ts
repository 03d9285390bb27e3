/**
 * Turns paths, by which libfuse's high-level interface names files, into inodes of the file system. Looks each path up from the root
 * at each use, so that nothing here can be outdated.
 */
import { FsError } from '../errors.js';
import { rootInode, type Attributes, type Call, type FileSystem, type InodeId } from '../file-system.js';

/**
 * Inodes that keep one lookup each after their use. Without that the file system would forget a directory, and with it what
 * it has listed, as soon as a call about one of its files is done.
 */
const maxKept = 4096;

interface FoundInode {
  readonly inode: InodeId;
  readonly attributes: Attributes;
}

export class PathFinder {
  readonly #fileSystem: FileSystem;
  readonly #call: Call;
  /** Each has one lookup of ours; least recently used first. */
  readonly #kept = new Set<InodeId>();

  constructor(fileSystem: FileSystem, call: Call) {
    this.#fileSystem = fileSystem;
    this.#call = call;
  }

  /** Runs `action` on the inode of a path, which stays known until it settles. */
  async use<T>(path: string, action: (inode: InodeId) => Promise<T>): Promise<T> {
    const { inode } = await this.hold(path);
    try {
      return await action(inode);
    } finally {
      this.giveBack(inode);
    }
  }

  /** Runs `action` on the directory of a path, whose last name need not exist. */
  async useParent<T>(path: string, action: (parent: InodeId, name: string) => Promise<T>): Promise<T> {
    const names = namesOf(path);
    const name = names.pop();
    if (name === undefined) throw new FsError('EINVAL', 'the root has no name');
    const parent = await this.#walk(names);
    try {
      return await action(parent, name);
    } finally {
      this.giveBack(parent);
    }
  }

  /** The inode of a path and its attributes, with a lookup that the caller has to give back. */
  async hold(path: string): Promise<FoundInode> {
    const names = namesOf(path);
    const name = names.pop();
    if (name === undefined) {
      const { attributes } = await this.#fileSystem.getAttributes({ inode: rootInode }, this.#call);
      return { inode: rootInode, attributes };
    }
    const parent = await this.#walk(names);
    try {
      return await this.#fileSystem.lookup({ parent, name }, this.#call);
    } finally {
      this.giveBack(parent);
    }
  }

  /** Takes one lookup back. The inodes used last keep theirs. */
  giveBack(inode: InodeId): void {
    if (inode === rootInode) return;
    const wasKept = this.#kept.delete(inode);
    this.#kept.add(inode);
    if (wasKept) this.#fileSystem.forget(inode, 1);
    else if (this.#kept.size > maxKept) this.#forgetOldest();
  }

  /** Forgets everything that is kept. */
  clear(): void {
    while (this.#kept.size > 0) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const [oldest] = this.#kept;
    if (oldest === undefined) return;
    this.#kept.delete(oldest);
    this.#fileSystem.forget(oldest, 1);
  }

  async #walk(names: readonly string[]): Promise<InodeId> {
    let inode: InodeId = rootInode;
    for (const name of names) {
      const parent = inode;
      try {
        ({ inode } = await this.#fileSystem.lookup({ parent, name }, this.#call));
      } finally {
        this.giveBack(parent);
      }
    }
    return inode;
  }
}

/** The addon puts this in the place of bytes that are no UTF-8; such a name would come back as another. */
const replacementCharacter = '\uFFFD';

/** For new names and targets. Throws EILSEQ. */
export function requireUnspoiled(text: string, operation: string): void {
  if (text.includes(replacementCharacter)) throw new FsError('EILSEQ', `${operation}: not UTF-8`);
}

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}
