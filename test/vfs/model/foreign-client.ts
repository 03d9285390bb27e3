/** Changes the bucket as another client does, and the model with it. Only what this mount has not changed as well, and has not open. */
import { parentOf } from './model-state.js';
import type { ModelledMount } from './modelled-mount.js';
import { paths, pick, type ForeignOperation } from './operations.js';

export async function changeElsewhere(mount: ModelledMount, operation: ForeignOperation): Promise<void> {
  const { state, store } = mount;
  const path = pick(paths, operation.path);
  const file = state.files.get(path);
  if (!state.directories.has(parentOf(path)) || (file && (file.openCount > 0 || file.isDirty))) return;
  await mount.synchronizeAll(); // attributes on their way would be a change of both
  if (operation.kind === 'foreignPut') {
    const content = Buffer.alloc(operation.length, operation.fill);
    store.putForeign(path, content);
    state.files.set(path, { content, stored: content, isDirty: false, openCount: 0 });
  } else {
    store.objects.delete(path);
    state.files.delete(path);
  }
  mount.expire();
}
