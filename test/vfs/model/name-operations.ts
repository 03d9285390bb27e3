/** Does with the names of a mount and of its model the same; throws an Error that says where they differ. */
import type { Attributes } from '../../../src/file-system.js';
import { resized } from './bytes.js';
import { learnWhetherResized } from './file-operations.js';
import { isWithin, parentOf, type ModelFile } from './model-state.js';
import type { ModelledMount } from './modelled-mount.js';
import type { PathOperation } from './operations.js';

export async function usePath(mount: ModelledMount, path: string, operation: PathOperation): Promise<void> {
  const { client, state } = mount;
  const file = state.files.get(path);
  switch (operation.kind) {
    case 'stat': {
      if (!file) {
        await mount.expectFailure(() => client.stat(path), 'ENOENT', path);
        return;
      }
      const attributes = await mount.attempt(() => client.stat(path));
      if (attributes) checkAttributes(mount, path, file, attributes);
      return;
    }
    case 'hold':
      if (file) await mount.attempt(() => mount.hold(path));
      else await mount.expectFailure(() => mount.hold(path), 'ENOENT', path);
      return;
    case 'unlink': {
      if (!file) {
        await mount.expectFailure(() => client.unlink(path), 'ENOENT', path);
        return;
      }
      // Whoever has it open would lose it to a delete that was not heard of, as to another client's.
      if (mount.faults.mayHideSuccess && (file.isDirty || file.openCount > 0)) await mount.faults.end();
      if ((await mount.succeeds(() => client.unlink(path))) || !(await mount.exists(path)))
        state.files.delete(path);
      return;
    }
    case 'chmod':
      if (!file) return;
      if (!(await mount.succeeds(() => client.setAttributes(path, { mode: operation.permissions })))) return;
      file.formerPermissions.push(file.permissions);
      file.permissions = operation.permissions;
      file.hasUnstoredAttributes = true;
      return;
    case 'setTime': {
      if (!file) return;
      const mtimeNs = BigInt(operation.seconds) * 1_000_000_000n;
      const isSet = await mount.succeeds(() => client.setAttributes(path, { mtime: mtimeNs }));
      file.mtimeNs = isSet ? mtimeNs : undefined;
      file.hasUnstoredAttributes = true;
      return;
    }
    case 'truncatePath':
      if (!file) return;
      if (!(await mount.succeeds(() => client.setAttributes(path, { size: operation.size })))) {
        await learnWhetherResized(mount, path, file, operation.size);
        return;
      }
      file.content = resized(file.content, operation.size);
      file.mtimeNs = undefined;
      state.commit(file);
  }
}

export function checkAttributes(
  mount: ModelledMount,
  path: string,
  file: ModelFile,
  { size, mode, mtimeNs }: Attributes,
): void {
  if (size !== file.content.length) throw new Error(`${path}: size ${size}, not ${file.content.length}`);
  const permissions = mode & 0o777;
  if (mount.mayShowUnreadable && permissions === 0) return;
  if (permissions !== file.permissions)
    throw new Error(`${path}: permissions ${permissions}, not ${file.permissions}`);
  if (file.mtimeNs !== undefined && mtimeNs !== file.mtimeNs)
    throw new Error(`${path}: changed at ${mtimeNs}, not ${file.mtimeNs}`);
}

export async function useDirectory(
  mount: ModelledMount,
  path: string,
  kind: 'mkdir' | 'rmdir' | 'list',
): Promise<void> {
  if (kind === 'list') await listDirectory(mount, path);
  else if (path === '') return;
  else if (kind === 'mkdir') await makeDirectory(mount, path);
  else await removeDirectory(mount, path);
}

async function listDirectory(mount: ModelledMount, path: string): Promise<void> {
  const { client, state } = mount;
  if (!state.directories.has(path)) {
    await mount.expectFailure(() => client.list(path, 3), 'ENOENT', path);
    return;
  }
  const listed = await mount.attempt(() => client.list(path, 3));
  if (!listed) return;
  const expected = state.namesIn(path);
  if (listed.join() !== expected.join())
    throw new Error(`${path}: lists ${listed.join()}, not ${expected.join()}`);
}

async function makeDirectory(mount: ModelledMount, path: string): Promise<void> {
  const { client, state } = mount;
  const attempt = () => client.makeDirectory(path);
  if (state.directories.has(path)) await mount.expectFailure(attempt, 'EEXIST', path);
  else if (!state.directories.has(parentOf(path))) await mount.expectFailure(attempt, 'ENOENT', path);
  else if ((await mount.succeeds(attempt)) || (await mount.exists(path))) state.directories.add(path);
}

async function removeDirectory(mount: ModelledMount, path: string): Promise<void> {
  const { client, state } = mount;
  const attempt = () => client.removeDirectory(path);
  if (!state.directories.has(path)) await mount.expectFailure(attempt, 'ENOENT', path);
  else if (state.namesIn(path).length > 0) await mount.expectFailure(attempt, 'ENOTEMPTY', path);
  else if ((await mount.succeeds(attempt)) || !(await mount.exists(path))) state.directories.delete(path);
}

export async function renameFile(mount: ModelledMount, from: string, to: string): Promise<void> {
  const { client, faults, state, store } = mount;
  const file = state.files.get(from);
  const replaced = state.files.get(to);
  const isInUse = [file, replaced].some(
    (one) => one && (one.isDirty || one.openCount > 0 || one.hasUnstoredAttributes),
  );
  if (faults.mayFail && isInUse) await faults.end(); // what is left of a file that is open is tested for itself
  const attempt = () => client.rename(from, to);
  if (!file || !state.directories.has(parentOf(to))) {
    await mount.expectFailure(attempt, 'ENOENT', from);
    return;
  }
  const before = store.objects.get(to);
  if (!(await mount.succeeds(attempt))) {
    await learnWhatWasRenamed(mount, from, to, before);
    return;
  }
  if (from === to) return;
  state.commit(file);
  state.moveFile(from, to);
}

/** A rename that failed is not done, or done, or only the copy is: the file has both names then. */
async function learnWhatWasRenamed(
  mount: ModelledMount,
  from: string,
  to: string,
  before: unknown,
): Promise<void> {
  const { state, store } = mount;
  await mount.synchronizeAll();
  mount.expire();
  const file = state.files.get(from);
  if (!file || store.objects.get(to) === before) return;
  const isMoved = !store.objects.has(from);
  state.moveFile(from, to);
  if (!isMoved) state.files.set(from, { ...file });
}

export async function renameDirectory(mount: ModelledMount, from: string, to: string): Promise<void> {
  const { client, faults, state } = mount;
  if (from === '' || to === '' || from === to) return;
  const attempt = () => client.rename(from, to);
  if (!state.directories.has(from) || !state.directories.has(parentOf(to))) {
    await mount.expectFailure(attempt, 'ENOENT', from);
    return;
  }
  if (isWithin(to, from)) {
    await mount.expectFailure(attempt, 'EINVAL', from);
    return;
  }
  const isInUse = state.pathsBelow(from).some((path) => state.isInUseAt(path));
  const isCutOff = faults.kind === 'throttle' || faults.kind === 'silence';
  // What is left then, and that the same rename goes on with it, is tested for itself.
  if (faults.mayFail && (isInUse || isCutOff)) await faults.end();
  if (state.directories.has(to) && state.namesIn(to).length > 0) {
    await mount.expectFailure(attempt, 'ENOTEMPTY', from);
    return;
  }
  if (!(await mount.succeeds(attempt))) {
    // Nothing of it is done.
    await mount.synchronizeAll();
    mount.expire();
    return;
  }
  for (const path of state.pathsBelow(from)) {
    const file = state.files.get(path);
    if (file) state.commit(file);
  }
  state.moveDirectory(from, to);
}
