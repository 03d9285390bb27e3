/**
 * Calls a file system as the kernel would for a program: resolves paths by lookups, keeps count of them, and forgets.
 */
import { setMaxListeners } from 'node:events';
import { FsError } from '../../src/errors.js';
import {
  rootInode,
  type AttributeChanges,
  type Attributes,
  type Call,
  type DirectoryEntry,
  type Entry,
  type FileSystem,
  type HandleId,
  type InodeId,
  type OpenFlags,
  type FilePosition,
} from '../../src/file-system.js';

const never = new AbortController().signal;
setMaxListeners(0, never); // one for all calls of all tests
export const defaultCall: Call = { uid: 1000, gid: 1000, pid: 1, signal: never };

export const readFlags: OpenFlags = {
  read: true,
  write: false,
  truncate: false,
  exclusive: false,
  direct: false,
};
export const writeFlags: OpenFlags = { ...readFlags, write: true };

export class OpenFile {
  readonly inode: InodeId;
  readonly handle: HandleId;
  readonly #client: FileSystemClient;

  constructor(client: FileSystemClient, inode: InodeId, handle: HandleId) {
    this.#client = client;
    this.inode = inode;
    this.handle = handle;
  }

  at(offset: number): FilePosition {
    return { inode: this.inode, handle: this.handle, offset };
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const { fs, call } = this.#client;
    const actions: (() => void)[] = [];
    const reading: Call = { ...call, afterAnswer: (action) => actions.push(action) };
    const bytes = Buffer.concat(await fs.read({ ...this.at(offset), length }, reading));
    for (const action of actions) action();
    return bytes;
  }

  /** As the kernel driver does. */
  async write(offset: number, data: Uint8Array | string): Promise<void> {
    const { fs, call } = this.#client;
    const bytes = Buffer.from(data);
    if (fs.tryWrite?.({ ...this.at(offset), data: bytes }, call)) return;
    await fs.write({ ...this.at(offset), data: bytes }, call);
  }

  async truncate(size: number): Promise<void> {
    const { fs, call } = this.#client;
    await fs.setAttributes({ inode: this.inode, changes: { size }, handle: this.handle }, call);
  }

  async synchronize(): Promise<void> {
    const { fs, call } = this.#client;
    await fs.synchronize({ inode: this.inode, handle: this.handle }, call);
  }

  async stat(): Promise<Attributes> {
    const { fs, call } = this.#client;
    return (await fs.getAttributes({ inode: this.inode, handle: this.handle }, call)).attributes;
  }

  async flush(): Promise<void> {
    await this.#client.fs.flush({ inode: this.inode, handle: this.handle }, this.#client.call);
  }

  /** The handle is gone even if the flush fails, as after close(2). */
  async close(): Promise<void> {
    const { fs } = this.#client;
    try {
      await this.flush();
    } finally {
      await fs.release({ inode: this.inode, handle: this.handle });
      this.#client.drop(this.inode);
    }
  }
}

export class FileSystemClient {
  readonly fs: FileSystem;
  readonly call: Call;
  /** Lookups that the "kernel" holds, by inode. */
  readonly lookups = new Map<InodeId, number>();

  constructor(fs: FileSystem, call: Call = defaultCall) {
    this.fs = fs;
    this.call = call;
  }

  /**
   * Runs `action` with the inode of a path, then forgets the lookups made on the way. After ESTALE once more, with every
   * name looked up anew, as Linux does for every system call that takes a path.
   */
  async withInode<T>(
    path: string,
    action: (inode: InodeId, entry: Entry | undefined) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#onceWithInode(path, action);
    } catch (error) {
      if (!(error instanceof FsError) || error.code !== 'ESTALE') throw error;
      return await this.#onceWithInode(path, action);
    }
  }

  async #onceWithInode<T>(
    path: string,
    action: (inode: InodeId, entry: Entry | undefined) => Promise<T>,
  ): Promise<T> {
    const held: InodeId[] = [];
    try {
      let inode = rootInode;
      let entry: Entry | undefined;
      for (const name of path.split('/').filter((part) => part !== '')) {
        entry = await this.fs.lookup({ parent: inode, name }, this.call);
        inode = entry.inode;
        this.hold(inode);
        held.push(inode);
      }
      return await action(inode, entry);
    } finally {
      for (const inode of held.reverse()) this.drop(inode);
    }
  }

  async withParent<T>(path: string, action: (parent: InodeId, name: string) => Promise<T>): Promise<T> {
    const cut = path.lastIndexOf('/');
    return await this.withInode(path.slice(0, Math.max(0, cut)), (parent) =>
      action(parent, path.slice(cut + 1)),
    );
  }

  async stat(path: string): Promise<Attributes> {
    return await this.withInode(
      path,
      async (inode) => (await this.fs.getAttributes({ inode }, this.call)).attributes,
    );
  }

  async setAttributes(path: string, changes: AttributeChanges): Promise<void> {
    await this.withInode(path, (inode) => this.fs.setAttributes({ inode, changes }, this.call));
  }

  async open(path: string, flags: OpenFlags = readFlags): Promise<OpenFile> {
    return await this.withInode(path, async (inode) => {
      const { handle } = await this.fs.open({ inode, flags }, this.call);
      this.hold(inode);
      return new OpenFile(this, inode, handle);
    });
  }

  async create(path: string, flags: Partial<OpenFlags> = {}, mode = 0o100644): Promise<OpenFile> {
    return await this.withParent(path, async (parent, name) => {
      const reply = await this.fs.create(
        { parent, name, mode, flags: { ...writeFlags, ...flags } },
        this.call,
      );
      this.hold(reply.entry.inode);
      return new OpenFile(this, reply.entry.inode, reply.open.handle);
    });
  }

  /** As a shell's `>`. */
  async writeFile(path: string, content: Uint8Array | string): Promise<void> {
    const file = await this.create(path, { truncate: true });
    try {
      await file.write(0, content);
    } finally {
      await file.close();
    }
  }

  async readFile(path: string): Promise<Buffer> {
    const file = await this.open(path);
    try {
      const pieces: Buffer[] = [];
      for (let offset = 0; ;) {
        const piece = await file.read(offset, 1024 * 1024);
        if (piece.length === 0) return Buffer.concat(pieces);
        offset += piece.length;
        pieces.push(piece);
      }
    } finally {
      await file.close();
    }
  }

  async makeDirectory(path: string, mode = 0o40755): Promise<void> {
    await this.withParent(path, async (parent, name) => {
      this.#forgetOne(await this.fs.makeDirectory({ parent, name, mode }, this.call));
    });
  }

  async makeSymlink(target: string, path: string): Promise<void> {
    await this.withParent(path, async (parent, name) => {
      this.#forgetOne(await this.fs.makeSymlink({ parent, name, target }, this.call));
    });
  }

  async readLink(path: string): Promise<string> {
    return await this.withInode(path, (inode) => this.fs.readLink({ inode }, this.call));
  }

  async unlink(path: string): Promise<void> {
    await this.withParent(path, (parent, name) => this.fs.unlink({ parent, name }, this.call));
  }

  async removeDirectory(path: string): Promise<void> {
    await this.withParent(path, (parent, name) => this.fs.removeDirectory({ parent, name }, this.call));
  }

  async rename(from: string, to: string, flags = { noReplace: false, exchange: false }): Promise<void> {
    await this.withParent(from, (parent, name) =>
      this.withParent(to, (newParent, newName) =>
        this.fs.rename({ parent, name, newParent, newName, flags }, this.call),
      ),
    );
  }

  /** Names without "." and "..", sorted. `batch`: entries per call, as a small kernel buffer would have it. */
  async list(path: string, batch = 100): Promise<string[]> {
    return (await this.listEntries(path, batch)).map(({ name }) => name).sort();
  }

  async listEntries(path: string, batch = 100): Promise<DirectoryEntry[]> {
    return await this.#readAll(path, batch, (inode, handle, offset, add) =>
      this.fs.readDirectory({ inode, handle, offset, add }, this.call),
    );
  }

  /** `ls -l`: name → attributes. What comes without them is looked up. */
  async listPlus(path: string, batch = 100): Promise<Map<string, Attributes>> {
    const found = new Map<string, Attributes>();
    const toLookUp: string[] = [];
    await this.withInode(path, async () => {
      await this.#readAll(path, batch, (inode, handle, offset, add) =>
        this.fs.readDirectoryPlus(
          {
            inode,
            handle,
            offset,
            add: (entry, full) => {
              if (!add(entry)) return false;
              if (full) {
                found.set(entry.name, full.attributes);
                this.#forgetOne(full);
              } else if (entry.name !== '.' && entry.name !== '..') toLookUp.push(entry.name);
              return true;
            },
          },
          this.call,
        ),
      );
      for (const name of toLookUp) found.set(name, await this.stat(path === '' ? name : `${path}/${name}`));
    });
    return found;
  }

  hold(inode: InodeId): void {
    this.lookups.set(inode, (this.lookups.get(inode) ?? 0) + 1);
  }

  drop(inode: InodeId): void {
    const held = (this.lookups.get(inode) ?? 0) - 1;
    if (held > 0) this.lookups.set(inode, held);
    else this.lookups.delete(inode);
    this.fs.forget(inode, 1);
  }

  async #readAll(
    path: string,
    batch: number,
    read: (
      inode: InodeId,
      handle: HandleId,
      offset: number,
      add: (entry: DirectoryEntry) => boolean,
    ) => Promise<void>,
  ): Promise<DirectoryEntry[]> {
    return await this.withInode(path, async (inode) => {
      const { handle } = await this.fs.openDirectory({ inode }, this.call);
      const entries: DirectoryEntry[] = [];
      let offset = 0;
      try {
        for (let isMore = true; isMore;) {
          let count = 0;
          await read(inode, handle, offset, (entry) => {
            if (count === batch) return false;
            count += 1;
            offset = entry.nextOffset;
            if (entry.name !== '.' && entry.name !== '..') entries.push(entry);
            return true;
          });
          isMore = count > 0;
        }
      } finally {
        this.fs.releaseDirectory({ inode, handle });
      }
      return entries;
    });
  }

  #forgetOne(entry: Entry): void {
    this.fs.forget(entry.inode, 1);
  }
}
