/**
 * Ends a serving process, by request over the control socket or by signal: in order, with everything in the bucket, or by
 * force. `serve.ts` exits.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { MountError } from '../../fuse/driver.js';
import type { Log } from '../../log.js';
import type { MountStatus, Pending } from '../../mount-statistics.js';
import type { RunningMount } from '../../mount/mount.js';
import { countOf } from '../../units.js';
import { explainError } from '../explain-error.js';
import { maxWaitingPaths } from './control-protocol.js';
import { describeHolders, type Holder } from './mount-holders.js';

export interface ShutdownOptions {
  readonly log: Log;
  /** Shows the user a line. */
  readonly say: (line: string) => void;
  readonly findHolders: (mountpoint: string) => Promise<readonly Holder[]>;
  /** When the mount began. Default: when this object was made. */
  readonly startedAt?: Date;
  /** Ends the process at once. */
  readonly exit: (code: number) => void;
  /** Between two tries to unmount what is in use; default 500 ms. */
  readonly retryMs?: number;
  /** How long SIGTERM waits for programs to stop using the directory before it detaches it; default 5 s. */
  readonly patienceMs?: number;
  /** How long a mount that SIGTERM detached waits for programs to close what they have open; default 10 s. */
  readonly lingerMs?: number;
  /** How long uploads that are given up may take to be aborted; default 5 s. */
  readonly abortMs?: number;
}

export class Shutdown {
  readonly #running: RunningMount;
  readonly #options: ShutdownOptions;
  readonly #retryMs: number;
  readonly #patienceMs: number;
  readonly #lingerMs: number;
  readonly #abortMs: number;
  readonly #startedAt: Date;
  #signals = 0;

  constructor(running: RunningMount, options: ShutdownOptions) {
    this.#running = running;
    this.#options = options;
    this.#retryMs = options.retryMs ?? 500;
    this.#patienceMs = options.patienceMs ?? 5_000;
    this.#lingerMs = options.lingerMs ?? 10_000;
    this.#abortMs = options.abortMs ?? 5_000;
    this.#startedAt = options.startedAt ?? new Date();
  }

  /**
   * On request: resolves when the directory is unmounted and everything is in the bucket. `lazy`: when the directory is
   * detached; programs that use it go on, and the process ends after them, when everything is in the bucket. Rejects
   * with a `MountError` of code `Busy` if the directory is in use. `isDetached`: it was unmounted before, and only the end is
   * awaited.
   */
  async unmount({
    lazy,
    isDetached = false,
  }: {
    readonly lazy: boolean;
    readonly isDetached?: boolean;
  }): Promise<void> {
    if (!isDetached) await this.#running.unmount({ lazy });
    if (!lazy) await this.#running.ended;
  }

  /** On request: does what the second signal does. Resolves when the rest is given up; the process ends soon after. */
  async giveUp(): Promise<void> {
    this.#signals = Math.max(this.#signals, 2);
    const exitCode = await this.#giveUpAndDetach();
    void this.#endSoon(exitCode); // never rejects
  }

  pending(): readonly Pending[] {
    return this.#running.pending();
  }

  status(): MountStatus {
    const { mountpoint, source } = this.#running;
    const pending = this.pending();
    const failed = pending.filter(({ reason }) => reason !== undefined);
    return {
      pid: process.pid,
      mountpoint,
      source: source.replace(/^osirisfs:/, ''),
      startedAt: this.#startedAt.toISOString(),
      pending: pathsOf(pending.slice(0, maxWaitingPaths)),
      pendingCount: pending.length,
      ...(failed.length > 0 && { pendingReasons: reasonsByPath(failed.slice(0, maxWaitingPaths)) }),
      statistics: this.#running.statistics?.(),
    };
  }

  /**
   * SIGINT waits until nothing uses the directory; SIGTERM, which a system that goes down sends, not for long. Both wait
   * until the bucket has what was written. The second signal of either kind forces. Never rejects.
   */
  async handleSignal(signal: 'SIGINT' | 'SIGTERM'): Promise<void> {
    this.#signals += 1;
    const { log } = this.#options;
    log.info({ signal, count: this.#signals }, 'signal');
    try {
      if (this.#signals === 1) await this.#untilUnmounted(signal);
      else if (this.#signals === 2) await this.#force();
    } catch (error) {
      if (signal === 'SIGTERM' && this.#signals > 1) return; // the second signal gave it up
      log.error({ err: error }, 'unmounting failed');
      this.#options.say(
        `cannot unmount ${this.#running.mountpoint}: ${explainError(error).line}; a second signal ends without it`,
      );
    }
  }

  async #untilUnmounted(signal: 'SIGINT' | 'SIGTERM'): Promise<void> {
    let waitedMs = 0;
    for (;;) {
      if (await this.#tryUnmount()) break;
      if (this.#signals > 1) return; // force is at work
      if (waitedMs === 0) await this.#reportHolders(signal);
      if (signal === 'SIGTERM' && waitedMs >= this.#patienceMs) {
        await this.#detach();
        return;
      }
      await delay(this.#retryMs);
      waitedMs += this.#retryMs;
    }
    this.#sayWaiting();
  }

  #sayWaiting(): void {
    const pending = this.pending();
    const { length } = pending;
    if (length === 0) return;
    const [are, them] = length === 1 ? ['is', 'it'] : ['are', 'them'];
    const names = describePaths(pathsOf(pending), length, reasonsByPath(pending));
    this.#options.say(
      `waiting until ${countOf(length, 'file')} ${are} in the bucket: ${names}; a second signal gives ${them} up`,
    );
  }

  /** False if the directory is in use. */
  async #tryUnmount(): Promise<boolean> {
    try {
      await this.#running.unmount({ lazy: false });
      return true;
    } catch (error) {
      if (error instanceof MountError && error.code === 'NotMounted') return true; // another process did it
      if (error instanceof MountError && error.code === 'Busy') return false;
      throw error;
    }
  }

  async #reportHolders(signal: 'SIGINT' | 'SIGTERM'): Promise<void> {
    const { mountpoint } = this.#running;
    const holders = describeHolders(await this.#options.findHolders(mountpoint));
    this.#options.log.warn({ mountpoint, holders }, 'the directory is in use');
    const then = signal === 'SIGINT' ? 'a second Ctrl-C detaches it all the same' : 'it is detached soon';
    this.#options.say(`${mountpoint} is in use${holders === '' ? '' : ` by ${holders}`}; ${then}`);
  }

  /**
   * Stores closed files and detaches the directory. Programs that still have files open have some time to close them. Then their
   * writes are stored as they are, the calls under way finish, and the process ends.
   */
  async #detach(): Promise<void> {
    await this.#running.synchronizeAll('what is closed');
    await this.#running.unmount({ lazy: true });
    if (await this.#hasEndedWithin(this.#lingerMs)) return;
    this.#sayWaiting();
    await this.#running.settled();
    await this.#running.synchronizeAll('everything');
    await this.#running.settled(); // requests that waited for the same are answered
    if (this.#signals > 1) return;
    const exitCode = await this.#giveUp();
    if (!(await this.#hasEndedWithin(0))) this.#options.exit(exitCode);
  }

  async #force(): Promise<void> {
    await this.#endSoon(await this.#giveUpAndDetach());
  }

  /** Resolves with the exit code. */
  async #giveUpAndDetach(): Promise<number> {
    const [exitCode] = await Promise.all([
      this.#giveUp(),
      this.#running.unmount({ lazy: true }).catch((error: unknown) => {
        this.#options.log.warn({ err: error }, 'detaching by force failed');
      }),
    ]);
    return exitCode;
  }

  /** `serve.ts` exits when the mount has ended; this is for a mount that does not end. */
  async #endSoon(exitCode: number): Promise<void> {
    if (!(await this.#hasEndedWithin(this.#retryMs))) this.#options.exit(exitCode);
  }

  /** Names what is not in the bucket, and leaves no upload there. Resolves with the exit code. */
  async #giveUp(): Promise<number> {
    const pending = this.pending();
    const lost = pathsOf(pending);
    const reasons = reasonsByPath(pending);
    const abandoned = this.#running.abandon();
    if (lost.length > 0) {
      this.#options.log.error(
        { paths: lost, reasons },
        'given up: these files are not in the bucket as they were written',
      );
      this.#options.say(
        `given up, not in the bucket as they were written: ${describePaths(lost, lost.length, reasons)}`,
      );
    }
    const isDone = await hasResolvedWithin(abandoned, this.#abortMs);
    if (!isDone) this.#options.log.warn({}, 'uploads that were given up may be left in the bucket');
    return lost.length > 0 ? 1 : 0;
  }

  async #hasEndedWithin(limitMs: number): Promise<boolean> {
    const { ended } = this.#running;
    return await hasResolvedWithin(
      ended.catch(() => undefined), // the caller that waits for the end reports it
      limitMs,
    );
  }
}

async function hasResolvedWithin(promise: Promise<void>, limitMs: number): Promise<boolean> {
  const timer = new AbortController();
  try {
    const isOver = delay(limitMs, false, { signal: timer.signal });
    return await Promise.race([promise.then(() => true), isOver]);
  } finally {
    timer.abort();
  }
}

/** The first few, with the reasons why they are not in the bucket where these are known, and how many more there are. */
export function describePaths(
  paths: readonly string[],
  count = paths.length,
  reasons: Readonly<Partial<Record<string, string>>> = {},
): string {
  const shown = paths.slice(0, 5).map((path) => {
    const reason = reasons[path];
    return reason === undefined ? path : `${path} (${reason})`;
  });
  return shown.join(', ') + (count > shown.length ? ` and ${count - shown.length} more` : '');
}

function pathsOf(pending: readonly Pending[]): string[] {
  return pending.map(({ path }) => path);
}

/** By path: why the last try to store it failed. */
export function reasonsByPath(pending: readonly Pending[]): Record<string, string> {
  return Object.fromEntries(pending.flatMap(({ path, reason }) => (reason ? [[path, reason.text]] : [])));
}
