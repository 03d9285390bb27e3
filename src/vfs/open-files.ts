/** The files that programs have open: a handle for each open(2), by its number. */
import type { BlockReader } from '../cache/block-reader.js';
import { FsError } from '../errors.js';
import type { HandleId, OpenFlags, OpenReply } from '../file-system.js';
import type { Log } from '../log.js';
import { countChange, type FileHandle, type FileNode } from './nodes.js';

export class OpenFiles {
  readonly #reader: BlockReader;
  readonly #log: Log;
  readonly #handles = new Map<HandleId, FileHandle>();
  #nextHandle: HandleId = 1;

  constructor(reader: BlockReader, log: Log) {
    this.#reader = reader;
    this.#log = log;
  }

  get size(): number {
    return this.#handles.size;
  }

  /** A handle on content that is known to be current. `hasChanged`: this open has made the file, or emptied it. */
  open(node: FileNode, { read, write }: OpenFlags, { hasChanged = false } = {}): OpenReply {
    this.#log.trace({ key: node.key, write }, 'opened');
    const handle: FileHandle = {
      node,
      canRead: read,
      canWrite: write,
      stream: this.#reader.createStream(),
      generation: node.generation,
      lastChange: 0,
    };
    if (hasChanged) countChange(handle);
    const id = this.#nextHandle++;
    this.#handles.set(id, handle);
    node.addHandle(handle);
    const etag = node.version?.etag;
    // Pages of this very version are good, and so are those of a file that only this mount has.
    const keepCache = node.pageEtag !== undefined && node.pageEtag === etag;
    node.pageEtag = etag;
    return { handle: id, keepCache, directIo: false };
  }

  /** Throws EBADF. */
  get(id: HandleId): FileHandle {
    const handle = this.#handles.get(id);
    if (!handle) throw new FsError('EBADF', `handle ${id} is not open`);
    return handle;
  }

  /** As `get`; throws ESTALE if another client has replaced the file since. */
  current(id: HandleId): FileHandle {
    const handle = this.get(id);
    const { node, generation } = handle;
    if (generation === node.generation) return handle;
    throw new FsError('ESTALE', `${node.key}: replaced by another client since it was opened`);
  }

  /** As `current`; throws EBADF if it was not opened for writing. */
  writable(id: HandleId): FileHandle {
    const handle = this.get(id);
    if (!handle.canWrite) throw new FsError('EBADF', `${handle.node.key}: not open for writing`);
    return this.current(id);
  }

  /** Undefined if it is closed already. */
  close(id: HandleId): FileHandle | undefined {
    const handle = this.#handles.get(id);
    if (!handle) return undefined;
    this.#handles.delete(id);
    handle.node.removeHandle(handle);
    this.#reader.closeStream(handle.stream);
    return handle;
  }
}
