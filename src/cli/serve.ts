/**
 * The life of a serving process: mounts, tells who asked, can be found by `osirisfs umount`, and ends by request, by signal or
 * when somebody unmounts the directory.
 */
import type { MountConfig } from '../config.js';
import type { KeyRing } from '../key-ring.js';
import type { Log } from '../log.js';
import type { Logging } from '../logging.js';
import { mount, type MountDependencies, type RunningMount } from '../mount.js';
import type { MountStatus } from '../mount-statistics.js';
import { exitImmediately } from '../native/exit-immediately.js';
import type { ListenAddress } from '../setting-values.js';
import { startMetricsServer, type MetricsServer } from '../status/metrics-server.js';
import { startControlServer } from './control-server.js';
import { exitFailure, explainError } from './explain-error.js';
import { Interrupted } from './interrupted.js';
import { findHolders } from './mount-holders.js';
import { CommandError } from './command-error.js';
import {
  ownPidNamespace,
  ownSocketPath,
  prepareRegistry,
  removeDeadEntries,
  removeEntry,
  writeEntry,
} from './mount-registry.js';
import { Shutdown } from './shutdown.js';
import { complain } from './terminal.js';

export interface ServeOptions {
  readonly config: MountConfig;
  readonly keyRing: KeyRing;
  readonly logging: Logging;
  /** Aborts to end before the directory is mounted, for example when the process that asked for it is gone. */
  readonly signal: AbortSignal;
  /** Called once, when the directory shows the bucket. `problem`: what the user is to know of it, in one line. */
  readonly onMounted: (running: RunningMount, problem: string | undefined) => void;
  /** Tells the user, who may be looking, one line. */
  readonly say: (line: string) => void;
  readonly dependencies?: MountDependencies | undefined;
}

/** Resolves when the mount has ended and everything is in the bucket; rejects with what went wrong before or after. */
export async function serve(options: ServeOptions): Promise<void> {
  const { config, keyRing, logging, say } = options;
  const { log } = logging;
  const stopCrashing = endOnCrash(log);
  const starting = new AbortController();
  let shutdown: Shutdown | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (shutdown) void shutdown.handleSignal(signal === 'SIGINT' ? 'SIGINT' : 'SIGTERM');
    else if (starting.signal.aborted) exitImmediately(exitFailure);
    else starting.abort(new Interrupted(signal));
  };
  const stopSignals = listenToSignals(onSignal, { ignoreHangup: !config.foreground });
  let metrics: MetricsServer | undefined;
  try {
    if (config.metrics) metrics = await serveMetrics(config.metrics, () => shutdown?.status(), log);
    const signal = AbortSignal.any([options.signal, starting.signal]);
    const running = await mount(config, keyRing, log, signal, options.dependencies).catch(
      (error: unknown) => {
        throw signal.aborted ? signal.reason : error; // whatever the interrupted layer made of it
      },
    );
    if (signal.aborted) {
      await running.unmount({ lazy: true });
      throw signal.reason;
    }
    shutdown = new Shutdown(running, { log, say, findHolders, exit: exitImmediately });
    const { unregister, problem } = await register(running, shutdown, log);
    options.onMounted(running, problem);
    try {
      await running.ended;
      log.info({ mountpoint: running.mountpoint }, 'unmounted');
    } finally {
      await unregister();
    }
  } finally {
    await metrics?.close();
    stopSignals();
    stopCrashing();
  }
}

/** Before anything is mounted, so that an address that cannot be had is the command's failure. */
async function serveMetrics(
  address: ListenAddress,
  status: () => MountStatus | undefined,
  log: Log,
): Promise<MetricsServer> {
  try {
    return await startMetricsServer(address, status, log);
  } catch (error) {
    throw new CommandError(`--metrics: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

interface Registration {
  readonly unregister: () => Promise<void>;
  readonly problem: string | undefined;
}

/** Makes the mount known. Without that it still serves: umount then goes through fusermount3, and cannot wait. */
async function register(running: RunningMount, shutdown: Shutdown, log: Log): Promise<Registration> {
  try {
    const directory = await prepareRegistry(process.getuid?.() ?? 0, process.env);
    await removeDeadEntries(directory);
    const socketPath = await ownSocketPath(directory);
    const server = await startControlServer(socketPath, shutdown, log);
    const { mountpoint, source } = running;
    const pidNamespace = (await ownPidNamespace()) || undefined;
    const entry = { pid: process.pid, pidNamespace, mountpoint, source, socketPath };
    await writeEntry(entry);
    const unregister = async () => {
      await removeEntry(entry);
      await server.close();
    };
    return { unregister, problem: undefined };
  } catch (error) {
    const problem = 'osirisfs umount cannot find this mount, and not wait until everything is in the bucket';
    log.error({ error }, problem);
    return { unregister: () => Promise.resolve(), problem: `${problem}: ${explainError(error).line}` };
  }
}

/**
 * After an exception that nobody caught the state is unknown, so nothing more is written; the kernel closes the device and the
 * driver's watchdog takes the dead mount away. A promise whose rejection nobody looked at has broken off nothing: whoever waits
 * for the work got its error, and to end would lose what everybody has written and not stored.
 */
function endOnCrash(log: Log): () => void {
  const onCrash = (error: unknown): void => {
    log.error({ error }, 'crashed: an error that nobody caught');
    complain(explainError(error).line);
    exitImmediately(exitFailure);
  };
  const onRejection = (error: unknown): void => {
    log.error({ error }, 'a failure that nobody looked at; going on');
  };
  process.on('uncaughtException', onCrash).on('unhandledRejection', onRejection);
  return () => {
    process.off('uncaughtException', onCrash).off('unhandledRejection', onRejection);
  };
}

/** Without a terminal a hangup means nothing; in the foreground it is the end of the session. */
function listenToSignals(
  onSignal: NodeJS.SignalsListener,
  options: { readonly ignoreHangup: boolean },
): () => void {
  const ignore = (): void => undefined;
  const listeners = {
    SIGINT: onSignal,
    SIGTERM: onSignal,
    SIGHUP: options.ignoreHangup ? ignore : onSignal,
  };
  for (const [signal, listener] of Object.entries(listeners)) process.on(signal, listener);
  return () => {
    for (const [signal, listener] of Object.entries(listeners)) process.off(signal, listener);
  };
}
