/** What a mount promises, plainly: names are a map, a file is a buffer, and beside it what the bucket must hold. */
import type { Metadata } from '../../../src/object-store.js';
import type { MemoryObjectStore } from '../../object-store/memory-object-store.js';
import type { OpenFile } from '../file-system-client.js';
import { difference } from './bytes.js';

/** How a file is shown that has no permissions of its own, and those that are made here. */
const defaultPermissions = 0o644;

export interface ModelFile {
  content: Buffer;
  /** What the bucket holds, undefined before the first commit. */
  stored: Buffer | undefined;
  isDirty: boolean;
  openCount: number;
  permissions: number;
  /** Which the bucket may still have. */
  formerPermissions: number[];
  /** Of which the bucket has yet to learn. */
  hasUnstoredAttributes: boolean;
  /** Undefined if it is of the moment in which it was changed here. */
  mtimeNs: bigint | undefined;
  /** Metadata that only another client understands. */
  title: string | undefined;
  /** Another client has replaced or removed it: whoever has it open may still read it, or is told. */
  isOutdated: boolean;
  /** Of which ranges were copied to this one since it was stored, which may be copied on the server when it is. */
  readonly copiedFrom: Set<ModelFile>;
}

export interface ModelHandle {
  readonly file: ModelFile;
  readonly open: OpenFile;
  readonly canWrite: boolean;
  /** Whether a flush of this handle is to store the file. `perhaps`: all that it has written may count as stored. */
  hasWritten: boolean | 'perhaps';
}

export function newFile(content: Buffer, known: Partial<ModelFile> = {}): ModelFile {
  return {
    content,
    stored: undefined,
    isDirty: false,
    openCount: 0,
    permissions: defaultPermissions,
    formerPermissions: [],
    hasUnstoredAttributes: false,
    mtimeNs: undefined,
    title: undefined,
    isOutdated: false,
    copiedFrom: new Set(),
    ...known,
  };
}

export class ModelState {
  readonly files = new Map<string, ModelFile>();
  readonly directories = new Set(['']);
  handles: ModelHandle[] = [];

  /** Of a directory, sorted. */
  namesIn(directory: string): string[] {
    return [...this.files.keys(), ...this.directories]
      .filter((path) => path !== '' && parentOf(path) === directory)
      .map((path) => path.slice(path.lastIndexOf('/') + 1))
      .sort();
  }

  /** The bucket is not to see it before a close or fsync. */
  isBeingWritten(file: ModelFile): boolean {
    return this.isChanging(file) && this.handles.some((handle) => handle.file === file && handle.canWrite);
  }

  /** What the mount holds of the file is in the bucket now: no handle has anything left to store. */
  commit(file: ModelFile): void {
    file.stored = Buffer.from(file.content);
    file.isDirty = false;
    file.copiedFrom.clear();
    for (const handle of this.handles) if (handle.file === file) handle.hasWritten = false;
  }

  /** Whether the mount may have changes of it that the bucket lacks, be it of zeros into zeros. */
  isChanging(file: ModelFile): boolean {
    return file.isDirty || this.handles.some((handle) => handle.file === file && handle.hasWritten !== false);
  }

  /** The file was to be stored, but for what is open to be written: of which nothing may be left, if all was taken back. */
  noteStoredUnlessChanged(file: ModelFile): void {
    if (file.stored === undefined || !file.content.equals(file.stored)) return;
    for (const handle of this.handles)
      if (handle.file === file && handle.hasWritten) handle.hasWritten = 'perhaps';
  }

  /** Whether ranges of it, as it is in the bucket, are still to be stored in another file. */
  isBeingCopied(file: ModelFile): boolean {
    const changed = new Set([...this.files.values(), ...this.handles.map((handle) => handle.file)]);
    return [...changed].some(({ copiedFrom }) => copiedFrom.has(file));
  }

  /** Whether the mount loses something when another client takes away what the bucket has of it. */
  isInUse(file: ModelFile): boolean {
    return this.isChanging(file) || this.isBeingCopied(file);
  }

  isInUseAt(path: string): boolean {
    const file = this.files.get(path);
    return file !== undefined && this.isInUse(file);
  }

  moveFile(from: string, to: string): void {
    const file = this.files.get(from);
    if (!file || from === to) return;
    this.files.delete(from);
    this.files.set(to, file);
  }

  /** With everything below. */
  moveDirectory(from: string, to: string): void {
    for (const directory of [...this.directories]) {
      if (!isWithin(directory, from)) continue;
      this.directories.delete(directory);
      this.directories.add(to + directory.slice(from.length));
    }
    for (const path of this.pathsBelow(from)) this.moveFile(path, to + path.slice(from.length));
  }

  pathsBelow(directory: string): string[] {
    return [...this.files.keys()].filter((path) => isWithin(path, directory));
  }

  /** The bucket must hold what was last stored of each file, whole, and nothing else. */
  checkBucket(store: MemoryObjectStore, when: string): void {
    for (const [path, file] of this.files) {
      const got = store.contentOf(path);
      if (file.stored === undefined ? got !== undefined : !got?.equals(file.stored)) {
        throw new Error(`${when}: the bucket has ${path} wrong: ${difference(file.stored, got)}`);
      }
      checkMetadata(file, store.objects.get(path)?.info.metadata, `${when}: the bucket has ${path}`);
    }
    for (const directory of this.directories) {
      if (directory !== '' && !store.objects.has(`${directory}/`))
        throw new Error(`${when}: the bucket has nothing of the directory ${directory}`);
    }
    for (const key of store.objects.keys()) {
      const isKnown = key.endsWith('/') ? this.directories.has(key.slice(0, -1)) : this.files.has(key);
      if (!isKnown) throw new Error(`${when}: the bucket has ${key}, which should not be there`);
    }
  }
}

function checkMetadata(file: ModelFile, metadata: Metadata | undefined, what: string): void {
  if (!metadata) return;
  if (metadata['title'] !== file.title)
    throw new Error(`${what} titled ${metadata['title'] ?? 'not at all'}, not ${file.title ?? 'not at all'}`);
  const permissions = metadata['mode'] === undefined ? defaultPermissions : Number(metadata['mode']) & 0o777;
  if (permissions !== file.permissions && !file.formerPermissions.includes(permissions)) {
    throw new Error(`${what} with the permissions ${permissions}, not ${file.permissions}`);
  }
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** Whether a path is this directory, or below it. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}
