/**
 * Read this first. A mount from beginning to end: checks what can be wrong, builds the layers (`build-stack.ts`), mounts the
 * directory and serves it until it is unmounted. `src/cli` starts and ends it.
 */
import { allBuckets, type MountConfig } from '../settings/config.js';
import type { KeyRing } from '../keys/key-ring.js';
import { checkFuseSupport, systemFuseSupport, type FuseSupport } from './fuse-support.js';
import type { MountedFileSystem } from '../fuse/driver.js';
import type { Log } from '../log.js';
import type { MountStatistics, Pending } from '../mount-statistics.js';
import { MountpointError, prepareMountpoint } from './mountpoint.js';
import { buildStack } from './build-stack.js';
import type { BuildStack } from './stack.js';
import type { Scope } from '../vfs/drain.js';

/** What `mount` takes from its surroundings; tests put other things here. */
export interface MountDependencies {
  readonly buildStack: BuildStack;
  readonly fuseSupport?: FuseSupport;
}

export interface RunningMount {
  /** Without symbolic links, as the mount table shows it. */
  readonly mountpoint: string;
  readonly source: string;
  /** As in `Stack`. */
  readonly news?: string;
  /**
   * Resolves when the session is over, however it ended, and everything is in the bucket. Rejects if something could not be
   * stored.
   */
  readonly ended: Promise<void>;
  /** Rejects with a `MountError` of code `Busy` if files are open and `lazy` is false. Then await `ended`. */
  unmount(options: { readonly lazy: boolean }): Promise<void>;
  /** Resolves when the requests that change something and are under way now are answered. */
  settled(): Promise<void>;
  /** As in `Stack`, with the next ones. */
  synchronizeAll(scope: Scope): Promise<void>;
  pending(): readonly Pending[];
  statistics?(): MountStatistics;
  abandon(): Promise<void>;
}

/**
 * Resolves when the directory shows the bucket. Rejects with a `MountpointError`, `MountError` or `StoreError` that says in
 * one line what is wrong, or with the signal's reason; nothing is mounted then.
 */
export async function mount(
  config: MountConfig,
  keyRing: KeyRing,
  log: Log,
  signal: AbortSignal,
  dependencies: MountDependencies = { buildStack },
): Promise<RunningMount> {
  await checkFuseSupport(dependencies.fuseSupport ?? systemFuseSupport());
  const mountpoint = await prepareMountpoint(config.mountpoint, log).catch((error: unknown) => {
    throw config.bucket === undefined ? withHint(error) : error;
  });
  signal.throwIfAborted();

  log.info(
    { mountpoint, bucket: config.bucket, prefix: config.prefix, keyMd5: keyRing.describe() },
    'mounting',
  );
  const stack = await dependencies.buildStack(config, keyRing, log, signal);
  const source = sourceOf(config);
  let mounted: MountedFileSystem;
  try {
    signal.throwIfAborted();
    mounted = await stack.driver.mount({
      mountpoint,
      fileSystem: stack.fileSystem,
      source,
      readOnly: config.readOnly,
      allowOther: config.allowOther,
      defaultPermissions: true,
      extraOptions: config.mountFlags,
      log,
    });
  } catch (error) {
    await stack.close();
    throw error;
  }

  return {
    mountpoint,
    source,
    ...(stack.news !== undefined && { news: stack.news }),
    ended: mounted.ended.finally(() => stack.close()),
    unmount: (options) => mounted.unmount(options),
    settled: () => mounted.settled(),
    synchronizeAll: (scope) => stack.synchronizeAll(scope),
    pending: () => stack.pending(),
    ...(stack.statistics && { statistics: stack.statistics.bind(stack) }),
    abandon: () => stack.abandon(),
  };
}

/** A user who forgot the directory has given a bucket in its place. */
function withHint(error: unknown): unknown {
  if (!(error instanceof MountpointError) || error.code !== 'Missing') return error;
  const hint = 'one argument is the directory, for all your buckets; for one of them give BUCKET DIRECTORY';
  return new MountpointError(error.code, `${error.message} (${hint})`, { cause: error });
}

/** As the mount table shows it. */
function sourceOf({ bucket, prefix }: MountConfig): string {
  if (bucket === undefined) return `osirisfs:${allBuckets}`;
  return `osirisfs:${bucket}${prefix === '' ? '' : `/${prefix}`}`;
}
