/** Opens files of a mount and of its model, and does the same with both; throws an Error that says where they differ. */
import { FsError } from '../../../src/errors.js';
import { readFlags, writeFlags } from '../file-system-client.js';
import { difference, resized, spliced, zeroed } from './bytes.js';
import { newFile, parentOf, type ModelFile, type ModelHandle } from './model-state.js';
import type { ModelledMount } from './modelled-mount.js';
import { maxFileBytes, type HandleOperation, type OpenMode } from './operations.js';

export async function openFile(mount: ModelledMount, path: string, mode: OpenMode): Promise<void> {
  if (mode === 'read' || mode === 'write') await openExisting(mount, path, mode);
  else await createFile(mount, path, mode);
}

async function openExisting(mount: ModelledMount, path: string, mode: 'read' | 'write'): Promise<void> {
  const { client, state } = mount;
  const file = state.files.get(path);
  const attempt = () => client.open(path, mode === 'read' ? readFlags : writeFlags);
  if (!file) {
    await mount.expectFailure(attempt, 'ENOENT', path);
    return;
  }
  // The bytes of a small file come with its open.
  const open = await mount.attempt(attempt);
  if (!open) return;
  state.handles.push({ file, open, canWrite: mode === 'write', hasWritten: false });
  file.openCount += 1;
}

async function createFile(
  mount: ModelledMount,
  path: string,
  mode: 'truncate' | 'create' | 'exclusive',
): Promise<void> {
  const { client, state } = mount;
  const existing = state.files.get(path);
  const flags = { read: true, truncate: mode === 'truncate', exclusive: mode === 'exclusive' };
  const attempt = () => client.create(path, flags);
  if (!state.directories.has(parentOf(path))) {
    await mount.expectFailure(attempt, 'ENOENT', path);
    return;
  }
  if (existing && mode === 'exclusive') {
    await mount.expectFailure(attempt, 'EEXIST', path);
    return;
  }
  const open = await mount.attempt(attempt);
  if (!open) {
    if (existing && mode === 'truncate') await learnWhetherResized(mount, path, existing, 0);
    return;
  }
  const file = existing ?? newFile(Buffer.alloc(0), { isDirty: true });
  const isTruncated = existing !== undefined && mode === 'truncate';
  if (isTruncated && file.content.length > 0) {
    file.content = Buffer.alloc(0);
    file.isDirty = true;
  }
  if (isTruncated) file.mtimeNs = undefined;
  file.openCount += 1;
  state.files.set(path, file);
  state.handles.push({ file, open, canWrite: true, hasWritten: !existing || isTruncated });
}

export async function useHandle(
  mount: ModelledMount,
  handle: ModelHandle,
  operation: HandleOperation,
): Promise<void> {
  const { file, open } = handle;
  if (file.isOutdated && operation.kind !== 'read' && operation.kind !== 'close') return;
  switch (operation.kind) {
    case 'read': {
      const expected = file.content.subarray(operation.offset, operation.offset + operation.length);
      const read = () => open.read(operation.offset, operation.length);
      const got = await mount.attempt(() => (file.isOutdated ? orStale(read) : read()));
      if (got && !got.equals(expected))
        throw new Error(`read at ${operation.offset}: ${difference(expected, got)}`);
      return;
    }
    case 'close': {
      mount.state.handles = mount.state.handles.filter((other) => other !== handle);
      file.openCount -= 1;
      const isStored = await mount.succeeds(() => open.close());
      if (isStored && (handle.hasWritten === 'perhaps' ? isInBucket(mount, file) : handle.hasWritten))
        mount.state.commit(file);
      // What another close could not store is stored by itself, once nobody has it open to write.
      const isLeftOver = file.isDirty && !mount.state.isBeingWritten(file);
      if (!isStored || isLeftOver) await mount.settle(file);
      return;
    }
    case 'synchronize':
      if (await mount.succeeds(() => open.synchronize())) {
        mount.state.commit(file);
      } else if (mount.faults.kind === 'silence') {
        // It may have been stored, or not: now it is.
        await mount.faults.end();
        await open.synchronize();
        mount.state.commit(file);
      }
      return;
    default:
      if (handle.canWrite) await changeContent(mount, handle, operation);
  }
}

/** Whether the bucket has all that was changed of a file, which it need not have. */
function isInBucket({ state, store }: ModelledMount, file: ModelFile): boolean {
  const [path] = [...state.files].find(([, one]) => one === file) ?? [];
  return path !== undefined && store.contentOf(path)?.equals(file.content) === true;
}

/** The bytes of a version that the bucket has no more are either known or gone. */
async function orStale<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof FsError && error.code === 'ESTALE') return undefined;
    throw error;
  }
}

/** A change of the size by name that failed is done or not. */
export async function learnWhetherResized(
  mount: ModelledMount,
  path: string,
  file: ModelFile,
  size: number,
): Promise<void> {
  const wasSilent = mount.faults.kind === 'silence';
  await mount.faults.end();
  const now = await mount.client.stat(path);
  if (now.size === size && size !== file.content.length) {
    file.content = resized(file.content, size);
    file.isDirty = true;
  } else if (now.size !== file.content.length) {
    throw new Error(`${path}: size ${now.size}, neither ${file.content.length} nor ${size}`);
  }
  file.mtimeNs = undefined;
  await mount.settle(file, wasSilent);
}

type ContentChange = Extract<HandleOperation, { readonly kind: 'write' | 'truncate' | 'zero' | 'copy' }>;

interface PlannedChange {
  readonly after: Buffer;
  readonly attempt: () => Promise<unknown>;
}

async function changeContent(
  mount: ModelledMount,
  handle: ModelHandle,
  operation: ContentChange,
): Promise<void> {
  const planned = planChange(mount, handle, operation);
  if (!planned) return;
  const { file } = handle;
  const before = file.content;
  handle.hasWritten = true;
  file.mtimeNs = undefined;
  if (!(await mount.succeeds(planned.attempt))) {
    await compareEither(mount, handle, before, planned.after);
    return;
  }
  file.isDirty ||= !planned.after.equals(before) || operation.kind === 'write' || operation.kind === 'copy';
  file.content = planned.after;
}

function planChange(
  { client, state }: ModelledMount,
  handle: ModelHandle,
  operation: ContentChange,
): PlannedChange | undefined {
  const { file, open } = handle;
  const before = file.content;
  switch (operation.kind) {
    case 'write': {
      const data = Buffer.alloc(operation.length, operation.fill);
      return {
        after: spliced(before, operation.offset, data),
        attempt: () => open.write(operation.offset, data),
      };
    }
    case 'truncate':
      return { after: resized(before, operation.size), attempt: () => open.truncate(operation.size) };
    case 'zero': {
      const { offset, length } = operation;
      const mode = { keepSize: true, punchHole: true, zeroRange: false };
      return {
        after: zeroed(before, offset, length),
        attempt: () =>
          client.fs.fallocate({ inode: open.inode, handle: open.handle, offset, length, mode }, client.call),
      };
    }
    case 'copy': {
      const source = state.handles[operation.target % state.handles.length] ?? handle;
      const { offset, targetOffset, length } = operation;
      const data = Buffer.from(source.file.content.subarray(offset, offset + length));
      if (data.length === 0 || source.file === file || source.file.isOutdated) return undefined;
      const request = { from: source.open.at(offset), to: open.at(targetOffset), length };
      file.copiedFrom.add(source.file);
      return {
        after: spliced(before, targetOffset, data),
        attempt: () => client.fs.copyFileRange(request, client.call),
      };
    }
  }
}

/** A change that failed is there or is not there. */
async function compareEither(
  mount: ModelledMount,
  { file, open }: ModelHandle,
  before: Buffer,
  after: Buffer,
): Promise<void> {
  await mount.faults.end();
  const got = await open.read(0, maxFileBytes * 3);
  if (got.equals(after)) {
    file.content = after;
    file.isDirty = true;
  } else if (!got.equals(before)) {
    throw new Error(`after a failed change: ${difference(before, got)}`);
  }
}
