/**
 * Packs directory entries into the answer to READDIR or READDIRPLUS until it is full, and remembers the lookups that
 * it hands out. What a directory holds is left to the file system.
 */
import type { DirectoryEntry, Entry, InodeId } from '../file-system.js';
import * as protocol from './protocol.js';
import { writeEntry } from './reply-encoding.js';
import { writeUint64 } from './wire.js';

export class DirectoryReply {
  readonly #buffer: Buffer;
  readonly #hasFullEntries: boolean;
  #end = protocol.replyHeaderSize;
  /** Once one entry did not fit, none may follow: its `nextOffset` would skip the one left out. */
  #isFull = false;
  /** Inodes whose full entries were taken: each is one lookup. */
  readonly lookedUp: InodeId[] = [];

  /** `size` in bytes is what the kernel has room for; `hasFullEntries` for READDIRPLUS. */
  constructor(size: number, hasFullEntries: boolean) {
    this.#buffer = Buffer.alloc(protocol.replyHeaderSize + Math.min(size, protocol.maxWriteBytes));
    this.#hasFullEntries = hasFullEntries;
  }

  /** Takes an entry, and `full` with it in a READDIRPLUS; false if there is no room for it. */
  add(entry: DirectoryEntry, full: Entry | undefined): boolean {
    const nameLength = Buffer.byteLength(entry.name);
    const start = this.#end + (this.#hasFullEntries ? protocol.entrySize : 0);
    const nameStart = start + protocol.directoryEntrySize;
    const end = nameStart + Math.ceil(nameLength / 8) * 8; // FUSE_DIRENT_ALIGN
    if (this.#isFull || end > this.#buffer.length) {
      this.#isFull = true;
      return false;
    }
    if (this.#hasFullEntries) writeEntry(this.#buffer, full, this.#end);
    this.#buffer.writeBigUInt64LE(BigInt.asUintN(64, entry.ino), start);
    writeUint64(this.#buffer, entry.nextOffset, start + 8);
    this.#buffer.writeUInt32LE(nameLength, start + 16);
    this.#buffer.writeUInt32LE((entry.type & 0o170000) >> 12, start + 20); // DT_REG and so on
    this.#buffer.write(entry.name, nameStart);
    this.#end = end;
    if (full !== undefined) this.lookedUp.push(full.inode);
    return true;
  }

  /** Takes no more entries, and gives the answer. */
  finish(): Buffer {
    this.#isFull = true;
    return this.#buffer.subarray(0, this.#end);
  }
}
