/**
 * Changes the bucket as another client does, and the model with it. Of a file that this mount is changing as well only in
 * the moment before that is stored. What is only open here stays so, and is told to be outdated.
 */
import { FsError } from '../../../src/errors.js';
import { difference } from './bytes.js';
import { checkAttributes } from './name-operations.js';
import { isWithin, newFile, parentOf, type ModelFile } from './model-state.js';
import type { ModelledMount } from './modelled-mount.js';
import { directories, pathOf, paths, pick, type ForeignOperation } from './operations.js';

export async function changeElsewhere(mount: ModelledMount, operation: ForeignOperation): Promise<void> {
  await mount.synchronizeAll(); // attributes on their way would be a change of both
  switch (operation.kind) {
    case 'foreignPut':
      put(mount, pick(paths, operation.path), Buffer.alloc(operation.length, operation.fill));
      break;
    case 'foreignDelete':
      remove(mount, pathOf(mount.state.files, operation.path));
      break;
    case 'foreignTouch':
      await touchLookedAt(mount, operation);
      break;
    case 'race':
      await race(mount, operation);
      break;
    case 'foreignRename':
      renameFile(mount, pathOf(mount.state.files, operation.path), pick(paths, operation.target));
      break;
    case 'foreignRenameDirectory':
      renameDirectory(mount, pick(directories, operation.directory), pick(directories, operation.target));
  }
  mount.expire();
}

function put(mount: ModelledMount, path: string, content: Buffer): void {
  const { state, store } = mount;
  if (!state.directories.has(parentOf(path)) || state.isInUseAt(path)) return;
  store.putForeign(path, content);
  outdate(mount, path);
  state.files.set(path, newFile(content, { stored: content }));
}

function remove(mount: ModelledMount, path: string): void {
  const { state, store } = mount;
  if (state.isInUseAt(path)) return;
  store.objects.delete(path);
  outdate(mount, path);
}

/**
 * Theirs keeps the name, ours is kept beside, and the close says ESTALE. All that was changed here is there; what the former
 * version had may be zeros, if nobody has read it in time. What owes nothing to a version that was removed may take its name
 * instead.
 */
async function race(
  mount: ModelledMount,
  operation: Extract<ForeignOperation, { kind: 'race' }>,
): Promise<void> {
  const { state, store } = mount;
  const handle = state.handles[operation.handle % Math.max(1, state.handles.length)];
  const [path] = [...state.files].find(([, file]) => file === handle?.file) ?? [];
  if (!handle || path === undefined) return;
  const { file, open } = handle;
  if (!file.isDirty || handle.hasWritten !== true || file.openCount > 1 || file.stored === undefined) return;
  const theirs = operation.theirs === 'put' ? Buffer.alloc(operation.length, operation.fill) : undefined;
  if (theirs?.equals(file.stored)) return;
  if (state.isBeingCopied(file)) return; // what is kept of the other file then has zeros there
  const before = new Set(store.objects.keys());
  if (theirs) store.putForeign(path, theirs);
  else store.objects.delete(path);
  state.handles = state.handles.filter((other) => other !== handle);
  file.openCount = 0;
  if (await isStale(() => open.close())) {
    const kept = [...store.objects.keys()].filter((key) => !before.has(key));
    const ours = kept[0] === undefined ? undefined : store.contentOf(kept[0]);
    if (kept.length !== 1 || !kept[0]?.startsWith(`${path}.conflict-`) || !ours || !holdsChanges(file, ours))
      throw new Error(`${path}: ours is kept as ${kept.join()}: ${difference(file.content, ours)}`);
    store.objects.delete(kept[0]); // by whoever has looked at it
    state.files.delete(path);
    if (theirs) state.files.set(path, newFile(theirs, { stored: theirs }));
  } else if (theirs) {
    throw new Error(`${path}: stored over what another client has stored`);
  } else {
    state.commit(file);
  }
}

/** Whether these are the bytes of a changed file, but for zeros in the place of what is as it was stored before. */
function holdsChanges({ content, stored }: ModelFile, kept: Buffer): boolean {
  const isKept = (byte: number, at: number) => byte === kept[at] || (kept[at] === 0 && byte === stored?.[at]);
  return kept.length === content.length && content.every(isKept);
}

async function isStale(action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action();
    return false;
  } catch (error) {
    if (error instanceof FsError && error.code === 'ESTALE') return true;
    throw error;
  }
}

async function touchLookedAt(
  mount: ModelledMount,
  operation: Extract<ForeignOperation, { kind: 'foreignTouch' }>,
): Promise<void> {
  const { client, state } = mount;
  const known = [...state.files.keys()];
  if (known.length === 0) return;
  const path = pick(known, operation.file);
  if (operation.isLookedAt) {
    await client.list(parentOf(path));
    await client.stat(path);
  }
  mount.nextSecond();
  touch(mount, path, operation);
  if (!operation.isLookedAt) return;
  mount.expire();
  await client.list(parentOf(path));
  const file = state.files.get(path);
  if (!file) return;
  checkAttributes(mount, path, file, await client.stat(path));
  const content = await client.readFile(path);
  if (!content.equals(file.content))
    throw new Error(`${path}: touched elsewhere: ${difference(file.content, content)}`);
}

function touch(
  { state, store }: ModelledMount,
  path: string,
  { permissions, seconds }: { readonly permissions: number; readonly seconds: number },
): void {
  const file = state.files.get(path);
  if (!file || state.isInUse(file)) return;
  // What is changed through a handle is stored with the attributes that were known when it was opened.
  if (state.handles.some((handle) => handle.file === file && handle.canWrite)) return;
  const title = `of second ${seconds}`;
  const metadata = { mode: String(0o100000 | permissions), mtime: `${seconds}.000000000`, title };
  const before = store.objects.get(path)?.info.etag;
  const etag = store.putForeign(path, file.content, { metadata });
  const mtimeNs = BigInt(seconds) * 1_000_000_000n;
  if (etag === before) {
    Object.assign(file, { permissions, mtimeNs, title });
  } else {
    // It was uploaded in parts: another ETag is another version.
    file.isOutdated = true;
    state.files.set(path, newFile(file.content, { stored: file.content, permissions, mtimeNs, title }));
  }
}

function renameFile(mount: ModelledMount, from: string, to: string): void {
  const { state } = mount;
  if (from === to || !state.files.has(from) || !state.directories.has(parentOf(to))) return;
  if (state.isInUseAt(from) || state.isInUseAt(to)) return;
  moveObject(mount, from, to);
}

function renameDirectory(mount: ModelledMount, from: string, to: string): void {
  const { state, store } = mount;
  if (from === '' || to === '' || isWithin(to, from)) return;
  if (!state.directories.has(from) || !state.directories.has(parentOf(to))) return;
  const moved = [...store.objects.keys()].filter((key) => key.startsWith(`${from}/`));
  const target = (key: string) => to + key.slice(from.length);
  const isInUse = (path: string) => state.isInUseAt(path) || state.isInUseAt(target(path));
  if (state.pathsBelow(from).some(isInUse)) return;
  for (const key of moved) {
    if (!key.endsWith('/')) {
      moveObject(mount, key, target(key));
      continue;
    }
    store.putForeign(target(key), '', { metadata: store.objects.get(key)?.info.metadata ?? {} });
    store.objects.delete(key);
    state.directories.delete(key.slice(0, -1));
    state.directories.add(target(key).slice(0, -1));
  }
}

function moveObject(mount: ModelledMount, from: string, to: string): void {
  const { state, store } = mount;
  const file = state.files.get(from);
  const object = store.objects.get(from);
  if (!file || !object) throw new Error(`${from}: to be moved, but not there`);
  store.putForeign(to, object.bytes, { metadata: object.info.metadata });
  store.objects.delete(from);
  outdate(mount, from);
  outdate(mount, to);
  state.files.set(to, newFile(file.content, { ...ofBucket(file), stored: file.content }));
}

/** What the bucket has of a file beside its content. */
function ofBucket({ permissions, mtimeNs, title }: ModelFile): Partial<ModelFile> {
  return { permissions, mtimeNs, title };
}

/** The name leads to nothing, or to another version. */
function outdate({ state }: ModelledMount, path: string): void {
  const file = state.files.get(path);
  if (!file) return;
  file.isOutdated = true;
  state.files.delete(path);
}
