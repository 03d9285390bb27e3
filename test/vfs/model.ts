/**
 * A plain model of what a mount promises, and an interpreter that runs random operations against both: names are a map,
 * a file is a buffer, and beside it what the bucket must hold.
 */
import type { ExecutionContext } from 'ava';
import { FsError } from '../../src/errors.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { fc } from '../seed.js';
import { readFlags, writeFlags, type OpenFile } from './file-system-client.js';
import { HeldClock } from '../clock.js';
import { Fixture, metadataTtlMs, type TestMount } from './file-system-fixture.js';

const maxFileBytes = 1500;
const names = ['a', 'b', 'ü'];
const directories = ['', 'd', 'e', 'd/s'];
const paths = directories.flatMap((directory) =>
  names.map((name) => (directory ? `${directory}/${name}` : name)),
);

interface ModelFile {
  content: Buffer;
  /** What the bucket holds, undefined before the first commit. */
  stored: Buffer | undefined;
  isDirty: boolean;
  openCount: number;
}

interface ModelHandle {
  readonly file: ModelFile;
  readonly open: OpenFile;
  readonly canWrite: boolean;
  hasWritten: boolean;
}

export type Operation =
  | {
      readonly kind: 'open';
      readonly path: number;
      readonly mode: 'read' | 'write' | 'truncate' | 'create' | 'exclusive';
    }
  | { readonly kind: 'read'; readonly handle: number; readonly offset: number; readonly length: number }
  | {
      readonly kind: 'write';
      readonly handle: number;
      readonly offset: number;
      readonly length: number;
      readonly fill: number;
    }
  | { readonly kind: 'truncate'; readonly handle: number; readonly size: number }
  | { readonly kind: 'zero'; readonly handle: number; readonly offset: number; readonly length: number }
  | {
      readonly kind: 'copy';
      readonly handle: number;
      readonly target: number;
      readonly offset: number;
      readonly targetOffset: number;
      readonly length: number;
    }
  | { readonly kind: 'synchronize'; readonly handle: number }
  | { readonly kind: 'close'; readonly handle: number }
  | { readonly kind: 'truncatePath'; readonly path: number; readonly size: number }
  | { readonly kind: 'unlink' | 'stat' | 'foreignDelete'; readonly path: number }
  | { readonly kind: 'foreignPut'; readonly path: number; readonly length: number; readonly fill: number }
  | { readonly kind: 'mkdir' | 'rmdir' | 'list'; readonly directory: number }
  | { readonly kind: 'rename'; readonly path: number; readonly target: number }
  | { readonly kind: 'renameDirectory'; readonly directory: number; readonly target: number }
  | { readonly kind: 'chmod'; readonly path: number; readonly permissions: number }
  | {
      readonly kind: 'fail';
      readonly method: 'put' | 'get' | 'uploadPart' | 'uploadPartCopy' | 'completeUpload';
    }
  | { readonly kind: 'expire' | 'remount' };

const index = fc.nat({ max: 1000 });
const offset = fc.nat({ max: maxFileBytes });
const length = fc.integer({ min: 1, max: 400 });
const fill = fc.integer({ min: 1, max: 255 });

export const operations: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('open' as const),
      path: index,
      mode: fc.constantFrom('read', 'write', 'truncate', 'create', 'exclusive'),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('read' as const), handle: index, offset, length }) },
  {
    weight: 10,
    arbitrary: fc.record({ kind: fc.constant('write' as const), handle: index, offset, length, fill }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('truncate' as const), handle: index, size: offset }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('zero' as const), handle: index, offset, length }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('copy' as const),
      handle: index,
      target: index,
      offset,
      targetOffset: offset,
      length,
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('synchronize' as const), handle: index }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('close' as const), handle: index }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('truncatePath' as const), path: index, size: offset }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('unlink' as const, 'stat' as const, 'foreignDelete' as const),
      path: index,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('foreignPut' as const), path: index, length: offset, fill }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('mkdir' as const, 'mkdir' as const, 'rmdir' as const, 'list' as const),
      directory: index,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('rename' as const), path: index, target: index }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('renameDirectory' as const), directory: index, target: index }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('chmod' as const),
      path: index,
      permissions: fc.nat({ max: 0o777 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('fail' as const),
      method: fc.constantFrom('put', 'get', 'uploadPart', 'uploadPartCopy', 'completeUpload'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('expire' as const, 'remount' as const) }) },
);

/** Runs operations on a mount and on the model; throws an Error that says where they differ. */
export class ModelRun {
  readonly #fixture: Fixture;
  #mount: TestMount;
  readonly #files = new Map<string, ModelFile>();
  readonly #directories = new Set(['']);
  #handles: ModelHandle[] = [];
  #isFailing = false;

  constructor(t: Pick<ExecutionContext, 'teardown'>) {
    this.#fixture = new Fixture(t, new MemoryObjectStore({ minPartSize: 64 }), new HeldClock());
    this.#mount = this.#fixture.mount({ attributeDelayMs: 1_000_000 });
  }

  async run(operation: Operation): Promise<void> {
    await this.#apply(operation);
    if (operation.kind !== 'fail') this.#endFailing();
    this.#checkBucket(JSON.stringify(operation));
    this.#mount.fs.checkInvariants();
  }

  /** Closes and stores everything: afterwards the bucket must hold the model, and no inode or upload may be left. */
  async finish(): Promise<void> {
    this.#endFailing();
    await this.#closeAll();
    await this.#mount.fs.stop();
    this.#checkBucket('at the end');
    const { inodes, openHandles } = this.#mount.fs.statisticsOfCaches();
    if (inodes !== 1 || openHandles !== 0)
      throw new Error(`${inodes - 1} inodes and ${openHandles} handles are left`);
    if (this.#fixture.store.uploads.size > 0) throw new Error('an upload was left open');
  }

  async #apply(operation: Operation): Promise<void> {
    switch (operation.kind) {
      case 'open':
        await this.#open(pick(paths, operation.path), operation.mode);
        return;
      case 'read':
      case 'write':
      case 'truncate':
      case 'zero':
      case 'copy':
      case 'synchronize':
      case 'close': {
        const handle = this.#handles[operation.handle % Math.max(1, this.#handles.length)];
        if (handle) await this.#applyToHandle(handle, operation);
        return;
      }
      case 'mkdir':
      case 'rmdir':
      case 'list':
        await this.#applyToDirectory(pick(directories, operation.directory), operation.kind);
        return;
      case 'rename':
        await this.#rename(pick(paths, operation.path), pick(paths, operation.target));
        return;
      case 'renameDirectory':
        await this.#renameDirectory(
          pick(directories, operation.directory),
          pick(directories, operation.target),
        );
        return;
      case 'fail':
        if (this.#isFailing) return;
        this.#fixture.store.failNext(operation.method, 'ServerError');
        this.#isFailing = true;
        return;
      case 'expire':
        this.#fixture.clock.advance(metadataTtlMs);
        return;
      case 'remount':
        this.#endFailing();
        await this.#closeAll();
        await this.#mount.fs.stop();
        for (const file of this.#files.values()) commit(file);
        this.#mount = this.#fixture.mount({ attributeDelayMs: 1_000_000 });
        return;
      default:
        await this.#applyToPath(pick(paths, operation.path), operation);
    }
  }

  async #open(path: string, mode: 'read' | 'write' | 'truncate' | 'create' | 'exclusive'): Promise<void> {
    const { client } = this.#mount;
    const existing = this.#files.get(path);
    const hasParent = this.#directories.has(parentOf(path));
    if (mode === 'read' || mode === 'write') {
      const attempt = client.open(path, mode === 'read' ? readFlags : writeFlags);
      if (!existing) {
        await this.#expectFailure(attempt, 'ENOENT', path);
        return;
      }
      // The bytes of a small file come with its open.
      const opened = await this.#mayFail(() => attempt);
      if (!opened) return;
      this.#handles.push({ file: existing, open: opened, canWrite: mode === 'write', hasWritten: false });
      existing.openCount += 1;
      return;
    }
    const attempt = client.create(path, {
      read: true,
      truncate: mode === 'truncate',
      exclusive: mode === 'exclusive',
    });
    if (!hasParent) {
      await this.#expectFailure(attempt, 'ENOENT', path);
      return;
    }
    if (existing && mode === 'exclusive') {
      await this.#expectFailure(attempt, 'EEXIST', path);
      return;
    }
    const open = await attempt;
    const file = existing ?? { content: Buffer.alloc(0), stored: undefined, isDirty: true, openCount: 0 };
    const isTruncated = existing !== undefined && mode === 'truncate';
    if (isTruncated && file.content.length > 0) {
      file.content = Buffer.alloc(0);
      file.isDirty = true;
    }
    file.openCount += 1;
    this.#files.set(path, file);
    this.#handles.push({ file, open, canWrite: true, hasWritten: !existing || isTruncated });
  }

  async #applyToHandle(
    handle: ModelHandle,
    operation: Extract<Operation, { readonly handle: number }>,
  ): Promise<void> {
    const { file, open } = handle;
    if (operation.kind === 'read') {
      const expected = file.content.subarray(operation.offset, operation.offset + operation.length);
      const got = await this.#mayFail(() => open.read(operation.offset, operation.length));
      if (got && !got.equals(expected))
        throw new Error(`read at ${operation.offset}: ${difference(expected, got)}`);
    } else if (operation.kind === 'close') {
      this.#handles = this.#handles.filter((other) => other !== handle);
      file.openCount -= 1;
      const isStored = (await this.#mayFail(() => open.close().then(() => true))) ?? false;
      if (isStored && handle.hasWritten) commit(file);
      if (!isStored || (file.openCount === 0 && file.isDirty)) await this.#settle(file);
    } else if (operation.kind === 'synchronize') {
      if (await this.#mayFail(() => open.synchronize().then(() => true))) {
        commit(file);
        handle.hasWritten = false;
      } else if (!handle.hasWritten) {
        handle.hasWritten = true; // a failed store is tried again by the next flush of this handle
      }
    } else if (handle.canWrite) {
      await this.#change(handle, operation);
    }
  }

  async #change(
    handle: ModelHandle,
    operation: Extract<Operation, { readonly kind: 'write' | 'truncate' | 'zero' | 'copy' }>,
  ): Promise<void> {
    const { file, open } = handle;
    const { client } = this.#mount;
    const before = file.content;
    let after: Buffer;
    let attempt: () => Promise<unknown>;
    if (operation.kind === 'write') {
      const data = Buffer.alloc(operation.length, operation.fill);
      after = spliced(before, operation.offset, data);
      attempt = () => open.write(operation.offset, data);
    } else if (operation.kind === 'truncate') {
      after = resized(before, operation.size);
      attempt = () => open.truncate(operation.size);
    } else if (operation.kind === 'zero') {
      const end = Math.min(before.length, operation.offset + operation.length);
      after = Buffer.from(before);
      if (end > operation.offset) after.fill(0, operation.offset, end);
      const mode = { keepSize: true, punchHole: true, zeroRange: false };
      attempt = () =>
        client.fs.fallocate(open.inode, open.handle, operation.offset, operation.length, mode, client.call);
    } else {
      const source = this.#handles[operation.target % this.#handles.length] ?? handle;
      const data = Buffer.from(
        source.file.content.subarray(operation.offset, operation.offset + operation.length),
      );
      if (data.length === 0 || source.file === file) return;
      after = spliced(before, operation.targetOffset, data);
      attempt = () =>
        client.fs.copyFileRange(
          source.open.inode,
          source.open.handle,
          operation.offset,
          open.inode,
          open.handle,
          operation.targetOffset,
          operation.length,
          client.call,
        );
    }
    handle.hasWritten = true;
    if ((await this.#mayFail(() => attempt().then(() => true))) === undefined) {
      await this.#compareEither(handle, before, after);
      return;
    }
    file.isDirty ||= !after.equals(before) || operation.kind === 'write' || operation.kind === 'copy';
    file.content = after;
  }

  /** A change that failed is there or is not there. */
  async #compareEither(handle: ModelHandle, before: Buffer, after: Buffer): Promise<void> {
    this.#endFailing();
    const got = await handle.open.read(0, maxFileBytes * 3);
    if (got.equals(after)) {
      handle.file.content = after;
      handle.file.isDirty = true;
    } else if (!got.equals(before)) {
      throw new Error(`after a failed change: ${difference(before, got)}`);
    }
  }

  async #applyToPath(
    path: string,
    operation: Extract<
      Operation,
      { readonly kind: 'truncatePath' | 'unlink' | 'stat' | 'foreignDelete' | 'foreignPut' | 'chmod' }
    >,
  ): Promise<void> {
    const { client } = this.#mount;
    const file = this.#files.get(path);
    switch (operation.kind) {
      case 'stat': {
        const attempt = client.stat(path);
        if (!file) {
          await this.#expectFailure(attempt, 'ENOENT', path);
          return;
        }
        const { size } = await attempt;
        if (size !== file.content.length)
          throw new Error(`${path}: size ${size}, not ${file.content.length}`);
        return;
      }
      case 'unlink': {
        const attempt = () => client.unlink(path);
        if (!file) {
          await this.#expectFailure(attempt(), 'ENOENT', path);
          return;
        }
        const isDone = await this.#mayFail(() => attempt().then(() => true));
        if (isDone) this.#files.delete(path);
        return;
      }
      case 'chmod':
        if (file) await client.setAttributes(path, { mode: operation.permissions });
        return;
      case 'truncatePath': {
        if (!file || this.#isFailing) return;
        await client.setAttributes(path, { size: operation.size });
        if (operation.size !== file.content.length) file.isDirty = true;
        file.content = resized(file.content, operation.size);
        commit(file);
        return;
      }
      case 'foreignPut':
      case 'foreignDelete': {
        if (!this.#directories.has(parentOf(path)) || (file && (file.openCount > 0 || file.isDirty))) return;
        await this.#synchronizeAll(); // attributes on their way would be a change of both
        if (operation.kind === 'foreignPut') {
          const content = Buffer.alloc(operation.length, operation.fill);
          this.#fixture.store.putForeign(path, content);
          this.#files.set(path, { content, stored: content, isDirty: false, openCount: 0 });
        } else {
          this.#fixture.store.objects.delete(path);
          this.#files.delete(path);
        }
        this.#fixture.clock.advance(metadataTtlMs);
      }
    }
  }

  async #applyToDirectory(path: string, kind: 'mkdir' | 'rmdir' | 'list'): Promise<void> {
    const { client } = this.#mount;
    const exists = this.#directories.has(path);
    if (kind === 'list') {
      const attempt = client.list(path, 3);
      if (!exists) {
        await this.#expectFailure(attempt, 'ENOENT', path);
        return;
      }
      const listed = await attempt;
      const expected = this.#entriesOf(path);
      if (listed.join() !== expected.join())
        throw new Error(`${path}: lists ${listed.join()}, not ${expected.join()}`);
      return;
    }
    if (path === '') return;
    const attempt = () => (kind === 'mkdir' ? client.makeDirectory(path) : client.removeDirectory(path));
    if (kind === 'mkdir') {
      if (exists) {
        await this.#expectFailure(attempt(), 'EEXIST', path);
        return;
      }
      if (!this.#directories.has(parentOf(path))) {
        await this.#expectFailure(attempt(), 'ENOENT', path);
        return;
      }
      if (await this.#mayFail(() => attempt().then(() => true))) this.#directories.add(path);
      return;
    }
    if (!exists) {
      await this.#expectFailure(attempt(), 'ENOENT', path);
      return;
    }
    if (this.#entriesOf(path).length > 0) {
      await this.#expectFailure(attempt(), 'ENOTEMPTY', path);
      return;
    }
    if (await this.#mayFail(() => attempt().then(() => true))) this.#directories.delete(path);
  }

  async #rename(from: string, to: string): Promise<void> {
    this.#endFailing(); // what a failed rename leaves is tested for itself
    const file = this.#files.get(from);
    const attempt = this.#mount.client.rename(from, to);
    if (!file || !this.#directories.has(parentOf(to))) {
      await this.#expectFailure(attempt, 'ENOENT', from);
      return;
    }
    await attempt;
    if (from === to) return;
    commit(file);
    this.#files.delete(from);
    this.#files.set(to, file);
  }

  async #renameDirectory(from: string, to: string): Promise<void> {
    this.#endFailing();
    if (from === '' || to === '' || from === to) return;
    const attempt = this.#mount.client.rename(from, to);
    if (!this.#directories.has(from) || !this.#directories.has(parentOf(to))) {
      await this.#expectFailure(attempt, 'ENOENT', from);
      return;
    }
    if (to.startsWith(`${from}/`)) {
      await this.#expectFailure(attempt, 'EINVAL', from);
      return;
    }
    if (this.#directories.has(to) && this.#entriesOf(to).length > 0) {
      await this.#expectFailure(attempt, 'ENOTEMPTY', from);
      return;
    }
    await attempt;
    const moved = (path: string) =>
      path === from || path.startsWith(`${from}/`) ? to + path.slice(from.length) : path;
    const directoriesAfter = [...this.#directories].map(moved);
    this.#directories.clear();
    for (const directory of directoriesAfter) this.#directories.add(directory);
    for (const [path, file] of [...this.#files]) {
      if (moved(path) === path) continue;
      commit(file);
      this.#files.delete(path);
      this.#files.set(moved(path), file);
    }
  }

  /** After a store that failed, or that nobody waited for: waits until the background has done it. */
  async #settle(file: ModelFile): Promise<void> {
    await this.#synchronizeAll();
    if (!this.#isBeingWritten(file)) commit(file);
  }

  /** The bucket is not to see it before a close or fsync. */
  #isBeingWritten(file: ModelFile): boolean {
    return file.isDirty && this.#handles.some((handle) => handle.file === file && handle.canWrite);
  }

  async #closeAll(): Promise<void> {
    for (const { open, file, hasWritten } of this.#handles) {
      await open.close();
      file.openCount -= 1;
      if (hasWritten) commit(file);
    }
    this.#handles = [];
    await this.#synchronizeAll();
  }

  async #synchronizeAll(): Promise<void> {
    this.#endFailing();
    await this.#mount.fs.synchronizeAll('what is closed');
    for (const file of this.#files.values()) if (!this.#isBeingWritten(file)) commit(file);
  }

  async #mayFail<T>(attempt: () => Promise<T>): Promise<T | undefined> {
    try {
      return await attempt();
    } catch (error) {
      if (this.#isFailing && error instanceof FsError && error.code === 'EIO') return undefined;
      throw error;
    }
  }

  async #expectFailure(attempt: Promise<unknown>, code: string, path: string): Promise<void> {
    try {
      await attempt;
    } catch (error) {
      if (error instanceof FsError && error.code === code) return;
      if (this.#isFailing && error instanceof FsError && error.code === 'EIO') return;
      throw error;
    }
    throw new Error(`${path}: expected ${code}`);
  }

  #endFailing(): void {
    this.#isFailing = false;
    this.#fixture.store.beforeRequest = () => undefined;
  }

  #entriesOf(directory: string): string[] {
    return [...this.#files.keys(), ...this.#directories]
      .filter((path) => path !== '' && parentOf(path) === directory)
      .map((path) => path.slice(path.lastIndexOf('/') + 1))
      .sort();
  }

  /** The bucket must hold what was last stored of each file, whole, and nothing else. */
  #checkBucket(when: string): void {
    const { store } = this.#fixture;
    for (const [path, file] of this.#files) {
      const got = store.contentOf(path);
      if (file.stored === undefined ? got !== undefined : !got?.equals(file.stored)) {
        throw new Error(`${when}: the bucket has ${path} wrong: ${difference(file.stored, got)}`);
      }
    }
    for (const key of store.objects.keys()) {
      const isKnown = key.endsWith('/') ? this.#directories.has(key.slice(0, -1)) : this.#files.has(key);
      if (!isKnown) throw new Error(`${when}: the bucket has ${key}, which should not be there`);
    }
  }
}

function commit(file: ModelFile): void {
  file.stored = Buffer.from(file.content);
  file.isDirty = false;
}

function pick<T>(items: readonly T[], number: number): T {
  return items[number % items.length] as T;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function resized(content: Buffer, size: number): Buffer {
  const result = Buffer.alloc(size);
  content.copy(result);
  return result;
}

function spliced(content: Buffer, offset: number, data: Buffer): Buffer {
  const result = resized(content, Math.max(content.length, offset + data.length));
  data.copy(result, offset);
  return result;
}

function difference(expected: Buffer | undefined, got: Buffer | undefined): string {
  if (!expected || !got)
    return `${got ? `${got.length} bytes` : 'nothing'}, not ${expected?.length ?? 'nothing'}`;
  if (expected.length !== got.length) return `${got.length} bytes, not ${expected.length}`;
  const at = expected.findIndex((byte, position) => byte !== got[position]);
  return `byte ${at} is ${got[at] ?? -1}, not ${expected[at] ?? -1}`;
}
