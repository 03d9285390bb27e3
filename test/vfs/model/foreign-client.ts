/**
 * Changes the bucket as another client does, and the model with it. Not what this mount is changing as well: who of both is heard
 * then has tests of its own. What is only open here stays so, and is told to be outdated.
 */
import { isWithin, newFile, parentOf, type ModelFile } from './model-state.js';
import type { ModelledMount } from './modelled-mount.js';
import { directories, paths, pick, type ForeignOperation } from './operations.js';

export async function changeElsewhere(mount: ModelledMount, operation: ForeignOperation): Promise<void> {
  await mount.synchronizeAll(); // attributes on their way would be a change of both
  switch (operation.kind) {
    case 'foreignPut':
      put(mount, pick(paths, operation.path), Buffer.alloc(operation.length, operation.fill));
      break;
    case 'foreignDelete':
      remove(mount, pick(paths, operation.path));
      break;
    case 'foreignTouch':
      touch(mount, pick(paths, operation.path), operation);
      break;
    case 'foreignRename':
      renameFile(mount, pick(paths, operation.path), pick(paths, operation.target));
      break;
    case 'foreignRenameDirectory':
      renameDirectory(mount, pick(directories, operation.directory), pick(directories, operation.target));
  }
  mount.expire();
}

function put(mount: ModelledMount, path: string, content: Buffer): void {
  const { state, store } = mount;
  if (!state.directories.has(parentOf(path)) || state.files.get(path)?.isDirty) return;
  store.putForeign(path, content);
  outdate(mount, path);
  state.files.set(path, newFile(content, { stored: content }));
}

function remove(mount: ModelledMount, path: string): void {
  const { state, store } = mount;
  if (state.files.get(path)?.isDirty) return;
  store.objects.delete(path);
  outdate(mount, path);
}

function touch(
  { state, store }: ModelledMount,
  path: string,
  { permissions, seconds }: { readonly permissions: number; readonly seconds: number },
): void {
  const file = state.files.get(path);
  if (!file || file.isDirty) return;
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
  if (state.files.get(from)?.isDirty || state.files.get(to)?.isDirty) return;
  moveObject(mount, from, to);
}

function renameDirectory(mount: ModelledMount, from: string, to: string): void {
  const { state, store } = mount;
  if (from === '' || to === '' || isWithin(to, from)) return;
  if (!state.directories.has(from) || !state.directories.has(parentOf(to))) return;
  const moved = [...store.objects.keys()].filter((key) => key.startsWith(`${from}/`));
  const target = (key: string) => to + key.slice(from.length);
  const isDirty = (path: string) => state.files.get(path)?.isDirty === true;
  if (state.pathsBelow(from).some((path) => isDirty(path) || isDirty(target(path)))) return;
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
