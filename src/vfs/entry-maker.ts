/** Makes files, directories, symbolic links and special files. */
import { FsError } from '../errors.js';
import type { Call } from '../file-system.js';
import { noExtendedAttributes } from './extended-attributes.js';
import { isStoreError } from './fs-errors.js';
import {
  permissionMask,
  setGroupIdBit,
  typeBlockDevice,
  typeCharacterDevice,
  typeDirectory,
  typeRegular,
  typeSymlink,
} from './modes.js';
import type { DirectoryNode, FileNode } from './nodes.js';
import { entryOfUnstored } from './resolver.js';
import {
  headersOfAttributes,
  type FileType,
  type SpecialType,
  type StoredAttributes,
} from './stored-attributes.js';
import type { WorkingParts } from './working-parts.js';

type EntryMakerOptions = Pick<
  WorkingParts,
  'store' | 'finder' | 'upkeep' | 'inodes' | 'contents' | 'records' | 'writeBack' | 'clock'
>;

/** The name of what is to be made. */
interface NewEntry {
  readonly parent: DirectoryNode;
  readonly name: string;
  /** With the type, which counts only where that is not given otherwise. */
  readonly mode: number;
}

export class EntryMaker {
  readonly #options: EntryMakerOptions;

  constructor(options: EntryMakerOptions) {
    this.#options = options;
  }

  /**
   * A new file that the bucket sees at its first flush. The name is free as far as is known. `replaces`: the caller means to replace
   * what there may be all the same.
   */
  createFile({ parent, name, mode }: NewEntry, replaces: boolean, call: Call): FileNode {
    const { upkeep, inodes, contents, clock } = this.#options;
    upkeep.checkNewName(parent, name, 'file');
    const attributes = this.#newAttributes(parent, typeRegular, mode, call);
    const node = inodes.addFile(parent, name, attributes, undefined, clock.monotonicMs());
    node.creation = { atMs: clock.monotonicMs(), replaces };
    contents.of(node);
    parent.listing?.set(entryOfUnstored(name, node.key, 0));
    upkeep.touch(parent);
    return node;
  }

  /** mknod(2) of a regular file: there is no close to wait for, so it is stored at once. */
  async makeFile(entry: NewEntry, call: Call): Promise<FileNode> {
    const { finder, inodes, writeBack } = this.#options;
    const { parent, name } = entry;
    await writeBack.waitForMoves(parent, call.signal);
    await this.#requireFree(parent, name, call.signal);
    const stored = await finder.findStored(parent, name, call.signal);
    if (stored) {
      inodes.release(stored);
      throw new FsError('EEXIST', `${name}: exists`);
    }
    const node = this.createFile(entry, false, call);
    node.pins += 1; // until it can be handed out
    try {
      await writeBack.store(node, call.signal);
    } catch (error) {
      parent.listing?.remove(name);
      inodes.remove(node);
      node.pins -= 1;
      await writeBack.letGo(node);
      throw error;
    }
    node.pins -= 1;
    await writeBack.closeUnused(node);
    return node;
  }

  async makeSymlink(entry: NewEntry, target: string, call: Call): Promise<FileNode> {
    const attributes = this.#newAttributes(entry.parent, typeSymlink, entry.mode, call);
    const node = await this.#makeStored(entry, attributes, Buffer.from(target), call.signal);
    if (node.info) node.linkTarget = { etag: node.info.etag, target };
    return node;
  }

  /** mknod(2) of a pipe, a socket or a device: `deviceNumber` of a device. */
  async makeSpecial(
    entry: NewEntry,
    { type, deviceNumber }: { readonly type: SpecialType; readonly deviceNumber: number },
    call: Call,
  ): Promise<FileNode> {
    const common = this.#newAttributes(entry.parent, type, entry.mode, call);
    const isDevice = type === typeCharacterDevice || type === typeBlockDevice;
    const attributes = isDevice ? { ...common, deviceNumber } : common;
    return await this.#makeStored(entry, attributes, new Uint8Array(), call.signal);
  }

  async makeDirectory({ parent, name, mode }: NewEntry, call: Call): Promise<DirectoryNode> {
    const { upkeep, inodes, clock } = this.#options;
    await this.#requireFree(parent, name, call.signal);
    upkeep.checkNewName(parent, name, 'directory');
    const attributes = this.#newAttributes(parent, typeDirectory, mode, call);
    const node = inodes.addDirectory(parent, name, attributes, clock.monotonicMs());
    node.marker = undefined; // as was just asked
    try {
      await orExists(parent, name, upkeep.makeMarker(node, call.signal));
    } catch (error) {
      inodes.remove(node);
      throw error;
    }
    parent.listing?.set({ name, kind: 'directory' });
    upkeep.touch(parent);
    return node;
  }

  /** What is whole from the start: stored at once. */
  async #makeStored(
    { parent, name }: NewEntry,
    attributes: StoredAttributes,
    content: Uint8Array,
    signal: AbortSignal,
  ): Promise<FileNode> {
    const { store, upkeep, inodes, records, clock } = this.#options;
    await this.#requireFree(parent, name, signal);
    const key = upkeep.checkNewName(parent, name, 'file');
    const headers = headersOfAttributes(attributes, undefined);
    const { etag } = await orExists(
      parent,
      name,
      store.put({ key, body: [content], headers, condition: { ifNoneMatch: '*' } }, signal),
    );
    const node = inodes.addFile(parent, name, attributes, undefined, clock.monotonicMs());
    records.recordFile(node, { key, etag, size: content.length }, headers);
    upkeep.touch(parent);
    return node;
  }

  async #requireFree(parent: DirectoryNode, name: string, signal: AbortSignal): Promise<void> {
    const existing = await this.#options.finder.findChild(parent, name, signal);
    if (!existing) return;
    this.#options.inodes.release(existing);
    throw new FsError('EEXIST', `${existing.key}: exists`);
  }

  #newAttributes(parent: DirectoryNode, type: FileType, mode: number, call: Call): StoredAttributes {
    const now = this.#options.clock.nowNs();
    const inheritsGroup = (parent.attributes.permissions & setGroupIdBit) !== 0;
    const inheritedBit = inheritsGroup && type === typeDirectory ? setGroupIdBit : 0;
    return {
      type,
      permissions: (mode & permissionMask) | inheritedBit,
      uid: call.uid,
      gid: inheritsGroup ? parent.attributes.gid : call.gid,
      atimeNs: now,
      mtimeNs: now,
      ctimeNs: now,
      hasTimesOfWrite: true,
      extended: noExtendedAttributes,
      otherMetadata: {},
      contentType: undefined,
    };
  }
}

/** EEXIST if the name that `writing` makes is taken by now. The next look-up tells what is there. */
async function orExists<T>(parent: DirectoryNode, name: string, writing: Promise<T>): Promise<T> {
  try {
    return await writing;
  } catch (error) {
    if (!isStoreError(error, 'PreconditionFailed')) throw error;
    parent.askAtNextLookup(name);
    throw new FsError('EEXIST', `${parent.prefix}${name}: another client made it first`, { cause: error });
  }
}
