/**
 * What libfuse's high-level interface asks for, answered by the file system: paths become inodes, descriptors become
 * handles. `fuse-native-bridge.ts` knows the numbers that the addon wants, and their order.
 *
 * libfuse does not delete a file that is deleted or replaced while it is open: it renames the file to `.fuse_hidden…` and deletes
 * that when the file is closed. The real name stays on purpose: the same rename also begins the replacement of an open file, which
 * must not be lost if the rest fails.
 */
import { constants } from 'node:fs';
import { FsError } from '../errors.js';
import type {
  AttributeChanges,
  Attributes,
  Call,
  Entry,
  FileSystem,
  FileSystemStatistics,
  HandleId,
  InodeId,
  OpenFlags,
} from '../file-system.js';
import { isUnsupportedAttribute } from './attribute-requests.js';
import { PathFinder, requireUnspoiled } from './path-finder.js';
import * as protocol from './protocol.js';
import { openFlagsOf } from './request-decoding.js';

/** Descriptors are 32-bit integers with a sign; 0 means none. */
const maxDescriptor = 0x7fff_ffff;

/** chown(2): leave it. */
const unchangedId = 0xffff_ffff;

const permissionBits = 0o7777;

/**
 * The addon does not say with which flags a file is created. Exclusive, truncating and appending opens still work: if the
 * file exists, the kernel opens it instead, see `create`.
 */
const createFlags: OpenFlags = {
  read: true,
  write: true,
  truncate: false,
  exclusive: false,
  direct: false,
};

interface ListedName {
  readonly name: string;
  /** The type bits of st_mode. */
  readonly type: number;
}

interface OpenFile {
  readonly inode: InodeId;
  readonly handle: HandleId;
}

export class FuseNativeOperations {
  readonly #fileSystem: FileSystem;
  readonly #call: Call;
  readonly #paths: PathFinder;
  /** Each holds one lookup of its inode. */
  readonly #openFiles = new Map<number, OpenFile>();
  #lastDescriptor = 0;

  /** `call` stands for every caller: the addon does not say which one asks. */
  constructor(fileSystem: FileSystem, call: Call) {
    this.#fileSystem = fileSystem;
    this.#call = call;
    this.#paths = new PathFinder(fileSystem, call);
  }

  /** Call it after the last request: closes what is still open, and forgets all inodes. */
  async end(): Promise<void> {
    for (const descriptor of [...this.#openFiles.keys()]) await this.release(descriptor);
    this.#paths.clear();
  }

  async attributes(path: string): Promise<Attributes> {
    const { inode, attributes } = await this.#paths.hold(path);
    this.#paths.giveBack(inode);
    return attributes;
  }

  async attributesOfOpen(descriptor: number): Promise<Attributes> {
    const { inode, handle } = this.#openFile(descriptor);
    return (await this.#fileSystem.getAttributes({ inode, handle }, this.#call)).attributes;
  }

  async access(path: string, mask: number): Promise<void> {
    await this.#paths.use(path, (inode) => this.#fileSystem.access({ inode, mask }, this.#call));
  }

  async changeMode(path: string, mode: number): Promise<void> {
    await this.#change(path, { mode: mode & permissionBits });
  }

  async changeOwner(path: string, uid: number, gid: number): Promise<void> {
    await this.#change(path, {
      ...(uid === unchangedId ? {} : { uid }),
      ...(gid === unchangedId ? {} : { gid }),
    });
  }

  /** The addon passes atime twice, instead of atime and mtime. For `touch`, which sets both to the same time, that is right. */
  async changeTimes(path: string, atimeNs: bigint): Promise<void> {
    await this.#change(path, { atime: atimeNs, mtime: atimeNs });
  }

  async truncate(path: string, size: number): Promise<void> {
    await this.#change(path, { size });
  }

  async truncateOpen(descriptor: number, size: number): Promise<void> {
    const { inode, handle } = this.#openFile(descriptor);
    await this.#fileSystem.setAttributes({ inode, changes: { size }, handle }, this.#call);
  }

  async readLink(path: string): Promise<string> {
    return await this.#paths.use(path, (inode) => this.#fileSystem.readLink({ inode }, this.#call));
  }

  async makeSymlink(target: string, path: string): Promise<void> {
    requireUnspoiled(target, 'symlink');
    await this.#make(path, (parent, name) =>
      this.#fileSystem.makeSymlink({ parent, name, target }, this.#call),
    );
  }

  async makeNode(path: string, mode: number, deviceNumber: number): Promise<void> {
    await this.#make(path, (parent, name) =>
      this.#fileSystem.makeNode({ parent, name, mode, deviceNumber }, this.#call),
    );
  }

  async makeDirectory(path: string, mode: number): Promise<void> {
    const fullMode = (mode & permissionBits) | constants.S_IFDIR;
    await this.#make(path, (parent, name) =>
      this.#fileSystem.makeDirectory({ parent, name, mode: fullMode }, this.#call),
    );
  }

  async makeLink(path: string, newPath: string): Promise<void> {
    await this.#paths.use(path, (inode) =>
      this.#make(newPath, (parent, name) =>
        this.#fileSystem.makeLink({ inode, newParent: parent, newName: name }, this.#call),
      ),
    );
  }

  async unlink(path: string): Promise<void> {
    await this.#paths.useParent(path, (parent, name) =>
      this.#fileSystem.unlink({ parent, name }, this.#call),
    );
  }

  async removeDirectory(path: string): Promise<void> {
    await this.#paths.useParent(path, (parent, name) =>
      this.#fileSystem.removeDirectory({ parent, name }, this.#call),
    );
  }

  async rename(path: string, newPath: string): Promise<void> {
    requireUnspoiled(newPath, 'rename');
    const flags = { noReplace: false, exchange: false };
    await this.#paths.useParent(path, (parent, name) =>
      this.#paths.useParent(newPath, (newParent, newName) =>
        this.#fileSystem.rename({ parent, name, newParent, newName, flags }, this.#call),
      ),
    );
  }

  /**
   * The descriptor of a new file. The kernel has looked the name up before. If the file appeared since then, or the answer was
   * outdated, ESTALE makes the kernel look again: then it opens the file with the right flags, or fails with EEXIST.
   */
  async create(path: string, mode: number): Promise<number> {
    requireUnspoiled(path, 'create');
    const fullMode = (mode & permissionBits) | constants.S_IFREG;
    const { entry, open, isNew } = await this.#paths.useParent(path, (parent, name) =>
      this.#fileSystem.create({ parent, name, mode: fullMode, flags: createFlags }, this.#call),
    );
    if (!isNew) {
      try {
        await this.#fileSystem.release({ inode: entry.inode, handle: open.handle });
      } finally {
        this.#paths.giveBack(entry.inode);
      }
      throw new FsError('ESTALE', `create ${path}: exists by now`);
    }
    return this.#addOpenFile({ inode: entry.inode, handle: open.handle });
  }

  async open(path: string, flags: number): Promise<number> {
    const { inode } = await this.#paths.hold(path);
    try {
      const { handle } = await this.#fileSystem.open({ inode, flags: openFlagsOf(flags) }, this.#call);
      return this.#addOpenFile({ inode, handle });
    } catch (error) {
      this.#paths.giveBack(inode);
      throw error;
    }
  }

  /** Fills `target`; the number of bytes, fewer than its length only at the end of the file. */
  async read(descriptor: number, target: Uint8Array, offset: number): Promise<number> {
    const { inode, handle } = this.#openFile(descriptor);
    const pieces = await this.#fileSystem.read({ inode, handle, offset, length: target.length }, this.#call);
    let length = 0;
    for (const piece of pieces) {
      target.set(piece, length);
      length += piece.length;
    }
    return length;
  }

  async write(descriptor: number, data: Uint8Array, offset: number): Promise<number> {
    const { inode, handle } = this.#openFile(descriptor);
    await this.#fileSystem.write({ inode, handle, offset, data }, this.#call);
    return data.length;
  }

  async flush(descriptor: number): Promise<void> {
    const { inode, handle } = this.#openFile(descriptor);
    await this.#fileSystem.flush({ inode, handle }, this.#call);
  }

  async synchronize(descriptor: number): Promise<void> {
    const { inode, handle } = this.#openFile(descriptor);
    await this.#fileSystem.synchronize({ inode, handle }, this.#call);
  }

  async release(descriptor: number): Promise<void> {
    const { inode, handle } = this.#openFile(descriptor);
    this.#openFiles.delete(descriptor);
    try {
      await this.#fileSystem.release({ inode, handle });
    } finally {
      this.#paths.giveBack(inode);
    }
  }

  /** All of it at once, with "." and "..". */
  async list(path: string): Promise<ListedName[]> {
    const listed: ListedName[] = [];
    await this.#useDirectory(path, (inode, handle) =>
      this.#fileSystem.readDirectory(
        { inode, handle, offset: 0, add: ({ name, type }) => listed.push({ name, type }) > 0 },
        this.#call,
      ),
    );
    return listed;
  }

  async synchronizeDirectory(path: string): Promise<void> {
    await this.#useDirectory(path, (inode, handle) =>
      this.#fileSystem.synchronizeDirectory({ inode, handle }, this.#call),
    );
  }

  async statistics(): Promise<FileSystemStatistics> {
    return await this.#fileSystem.statistics(this.#call);
  }

  async getExtendedAttribute(path: string, name: string): Promise<Uint8Array> {
    if (isUnsupportedAttribute(name)) throw new FsError('EOPNOTSUPP', `getxattr: ${name} is not kept`);
    return await this.#paths.use(path, (inode) =>
      this.#fileSystem.getExtendedAttribute({ inode, name }, this.#call),
    );
  }

  async listExtendedAttributes(path: string): Promise<readonly string[]> {
    return await this.#paths.use(path, (inode) =>
      this.#fileSystem.listExtendedAttributes({ inode }, this.#call),
    );
  }

  async setExtendedAttribute(path: string, name: string, value: Uint8Array, flags: number): Promise<void> {
    requireUnspoiled(name, 'setxattr');
    if (isUnsupportedAttribute(name)) throw new FsError('EOPNOTSUPP', `setxattr: ${name} is not kept`);
    const mode =
      flags === protocol.xattrCreate ? 'create' : flags === protocol.xattrReplace ? 'replace' : 'either';
    await this.#paths.use(path, (inode) =>
      this.#fileSystem.setExtendedAttribute({ inode, name, value: Buffer.from(value), mode }, this.#call),
    );
  }

  async removeExtendedAttribute(path: string, name: string): Promise<void> {
    await this.#paths.use(path, (inode) =>
      this.#fileSystem.removeExtendedAttribute({ inode, name }, this.#call),
    );
  }

  async #change(path: string, changes: AttributeChanges): Promise<void> {
    await this.#paths.use(path, (inode) => this.#fileSystem.setAttributes({ inode, changes }, this.#call));
  }

  async #make(path: string, make: (parent: InodeId, name: string) => Promise<Entry>): Promise<void> {
    requireUnspoiled(path, 'making a name');
    const { inode } = await this.#paths.useParent(path, make);
    this.#paths.giveBack(inode);
  }

  async #useDirectory<T>(path: string, action: (inode: InodeId, handle: HandleId) => Promise<T>): Promise<T> {
    return await this.#paths.use(path, async (inode) => {
      const { handle } = await this.#fileSystem.openDirectory({ inode }, this.#call);
      try {
        return await action(inode, handle);
      } finally {
        this.#fileSystem.releaseDirectory({ inode, handle });
      }
    });
  }

  #addOpenFile(file: OpenFile): number {
    do this.#lastDescriptor = (this.#lastDescriptor % maxDescriptor) + 1;
    while (this.#openFiles.has(this.#lastDescriptor));
    this.#openFiles.set(this.#lastDescriptor, file);
    return this.#lastDescriptor;
  }

  #openFile(descriptor: number): OpenFile {
    const file = this.#openFiles.get(descriptor);
    if (file === undefined) throw new FsError('EBADF', `descriptor ${descriptor} is not open`);
    return file;
  }
}
