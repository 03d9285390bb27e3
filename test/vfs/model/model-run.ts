/** Runs operations on a mount and on the model of it; throws an Error that says where they differ. */
import type { ExecutionContext } from 'ava';
import { openFile, useHandle } from './file-operations.js';
import { changeElsewhere } from './foreign-client.js';
import { ModelledMount, type Server } from './modelled-mount.js';
import { renameDirectory, renameFile, useDirectory, usePath } from './name-operations.js';
import { directories, directoryOf, isFault, pathOf, paths, pick, type Operation } from './operations.js';

export class ModelRun {
  readonly #mount: ModelledMount;

  constructor(t: Pick<ExecutionContext, 'teardown'>, server: Server) {
    this.#mount = new ModelledMount(t, server);
  }

  async run(operation: Operation): Promise<void> {
    await this.#apply(operation);
    if (!isFault(operation)) await this.#mount.faults.operationEnded();
    this.#mount.check(JSON.stringify(operation));
  }

  /** Closes and stores everything: afterwards the bucket must hold the model, and no inode or upload may be left. */
  async finish(): Promise<void> {
    await this.#mount.stop();
    await this.#mount.checkNothingIsLeft();
  }

  async #apply(operation: Operation): Promise<void> {
    const mount = this.#mount;
    switch (operation.kind) {
      case 'open':
        await openFile(mount, pathToOpen(mount.state.files, operation), operation.mode);
        return;
      case 'read':
      case 'write':
      case 'truncate':
      case 'zero':
      case 'copy':
      case 'synchronize':
      case 'close': {
        const { handles } = mount.state;
        const handle = handles[operation.handle % Math.max(1, handles.length)];
        if (handle) await useHandle(mount, handle, operation);
        return;
      }
      case 'stat':
      case 'hold':
      case 'unlink':
      case 'chmod':
      case 'setTime':
      case 'truncatePath':
        await usePath(mount, pathOf(mount.state.files, operation.path), operation);
        return;
      case 'mkdir':
      case 'rmdir':
      case 'list':
        await useDirectory(mount, pick(directories, operation.directory), operation.kind);
        return;
      case 'rename':
        await renameFile(mount, pathOf(mount.state.files, operation.path), pick(paths, operation.target));
        return;
      case 'renameDirectory':
        await renameDirectory(
          mount,
          directoryOf(mount.state.directories, operation.directory),
          directoryOf(mount.state.directories, operation.target),
        );
        return;
      case 'foreignPut':
      case 'foreignDelete':
      case 'foreignTouch':
      case 'race':
      case 'foreignRename':
      case 'foreignRenameDirectory':
        await changeElsewhere(mount, operation);
        return;
      case 'fail':
      case 'throttle':
      case 'deny':
      case 'silence':
        mount.beginFault(operation);
        return;
      case 'expire':
        mount.expire();
        return;
      case 'forget':
        mount.forget();
        return;
      case 'remount':
        await mount.remount();
    }
  }
}

/** What is made is any path, so that there is something. */
function pathToOpen(
  files: ReadonlyMap<string, unknown>,
  { path, mode }: Extract<Operation, { readonly kind: 'open' }>,
): string {
  return mode === 'read' || mode === 'write' ? pathOf(files, path) : pick(paths, path);
}
