/** Does with the names of a mount and of its model the same; throws an Error that says where they differ. */
import type { Attributes } from '../../../src/file-system.js';
import { resized } from './bytes.js';
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
      checkAttributes(path, file, await client.stat(path));
      return;
    }
    case 'unlink': {
      if (!file) await mount.expectFailure(() => client.unlink(path), 'ENOENT', path);
      else if (await mount.succeeds(() => client.unlink(path))) state.files.delete(path);
      return;
    }
    case 'chmod':
      if (!file) return;
      await client.setAttributes(path, { mode: operation.permissions });
      file.formerPermissions.push(file.permissions);
      file.permissions = operation.permissions;
      return;
    case 'truncatePath':
      if (!file || mount.faults.isActive) return;
      await client.setAttributes(path, { size: operation.size });
      file.content = resized(file.content, operation.size);
      file.mtimeNs = undefined;
      state.commit(file);
  }
}

function checkAttributes(path: string, file: ModelFile, { size, mode, mtimeNs }: Attributes): void {
  if (size !== file.content.length) throw new Error(`${path}: size ${size}, not ${file.content.length}`);
  const permissions = mode & 0o777;
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
  const listed = await client.list(path, 3);
  const expected = state.namesIn(path);
  if (listed.join() !== expected.join())
    throw new Error(`${path}: lists ${listed.join()}, not ${expected.join()}`);
}

async function makeDirectory(mount: ModelledMount, path: string): Promise<void> {
  const { client, state } = mount;
  const attempt = () => client.makeDirectory(path);
  if (state.directories.has(path)) await mount.expectFailure(attempt, 'EEXIST', path);
  else if (!state.directories.has(parentOf(path))) await mount.expectFailure(attempt, 'ENOENT', path);
  else if (await mount.succeeds(attempt)) state.directories.add(path);
}

async function removeDirectory(mount: ModelledMount, path: string): Promise<void> {
  const { client, state } = mount;
  const attempt = () => client.removeDirectory(path);
  if (!state.directories.has(path)) await mount.expectFailure(attempt, 'ENOENT', path);
  else if (state.namesIn(path).length > 0) await mount.expectFailure(attempt, 'ENOTEMPTY', path);
  else if (await mount.succeeds(attempt)) state.directories.delete(path);
}

export async function renameFile(mount: ModelledMount, from: string, to: string): Promise<void> {
  const { client, faults, state } = mount;
  faults.end(); // what a failed rename leaves is tested for itself
  const file = state.files.get(from);
  const attempt = () => client.rename(from, to);
  if (!file || !state.directories.has(parentOf(to))) {
    await mount.expectFailure(attempt, 'ENOENT', from);
    return;
  }
  await attempt();
  if (from === to) return;
  state.commit(file);
  state.moveFile(from, to);
}

export async function renameDirectory(mount: ModelledMount, from: string, to: string): Promise<void> {
  const { client, faults, state } = mount;
  faults.end();
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
  if (state.directories.has(to) && state.namesIn(to).length > 0) {
    await mount.expectFailure(attempt, 'ENOTEMPTY', from);
    return;
  }
  await attempt();
  for (const path of state.pathsBelow(from)) {
    const file = state.files.get(path);
    if (file) state.commit(file);
  }
  state.moveDirectory(from, to);
}
