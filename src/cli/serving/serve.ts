/**
 * The life of a serving process: mounts, reports to the command that started it, registers for `osirisfs umount`, and ends by
 * request, by signal or when the directory is unmounted.
 */
import type { MountConfig } from '../../settings/config.js';
import type { KeyRing } from '../../keys/key-ring.js';
import type { Log } from '../../log.js';
import type { Logging } from '../logging.js';
import type { MountStatus } from '../../mount-statistics.js';
import { mount, type MountDependencies, type RunningMount } from '../../mount/mount.js';
import { exitImmediately } from '../../native/exit-immediately.js';
import type { ListenAddress } from '../../settings/setting-values.js';
import { CommandError } from '../command-errors.js';
import { exitFailure, explainError } from '../explain-error.js';
import { startMetricsServer, type MetricsServer } from '../status/metrics-server.js';
import { Interrupted } from '../stop-signal.js';
import { complain } from '../terminal.js';
import { findHolders } from './mount-holders.js';
import { Registration } from './registration.js';
import { Shutdown } from './shutdown.js';

interface ServeOptions {
  readonly config: MountConfig;
  readonly keyRing: KeyRing;
  readonly logging: Logging;
  /** Aborts to end before the directory is mounted, for example when the process that asked for it is gone. */
  readonly signal: AbortSignal;
  /** Called once, when the directory shows the bucket. `problem`: a message for the user in one line. */
  readonly onMounted: (running: RunningMount, problem: string | undefined) => void;
  /** Shows the user one line. */
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
        throw signal.aborted ? signal.reason : error; // `error` is what the interrupted layer made of it
      },
    );
    if (signal.aborted) {
      await running.unmount({ lazy: true });
      throw signal.reason;
    }
    shutdown = new Shutdown(running, { log, say, findHolders, exit: exitImmediately });
    const { mountpoint, source } = running;
    const { env: environment } = process;
    const registration = new Registration({ mountpoint, source, controlled: shutdown, log, environment });
    await registration.start();
    options.onMounted(running, registration.problem);
    try {
      await running.ended;
      log.info({ mountpoint }, 'unmounted');
    } finally {
      await registration.stop();
    }
  } finally {
    await metrics?.close();
    stopSignals();
    stopCrashing();
  }
}

/** Runs before anything is mounted, so that the command fails if the address cannot be used. */
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

/**
 * After an uncaught exception the state is unknown, so nothing more is written: the kernel closes the device, and the driver's
 * watchdog takes the dead mount away. An unhandled rejection has interrupted nothing: the callers got their errors. Ending the process
 * would lose everything that is written and not stored.
 */
function endOnCrash(log: Log): () => void {
  const onCrash = (error: unknown): void => {
    log.error({ err: error }, 'crashed: an error that nobody caught');
    complain(explainError(error).line);
    exitImmediately(exitFailure);
  };
  const onRejection = (error: unknown): void => {
    log.error({ err: error }, 'a failure that nobody looked at; going on');
  };
  process.on('uncaughtException', onCrash).on('unhandledRejection', onRejection);
  return () => {
    process.off('uncaughtException', onCrash).off('unhandledRejection', onRejection);
  };
}

/** In the foreground a hangup ends the session. Without a terminal it means nothing. */
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
