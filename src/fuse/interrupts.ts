/**
 * Decides what an INTERRUPT means. The kernel sends one, once per request, for any signal that reaches the waiting
 * thread. Many are no request to stop: a child's end, a timer, or the SIGURG by which Go programs (git-lfs, rclone, restic)
 * preempt their own threads, and which would make their reads and closes fail with EINTR. So this looks at the pending signals of
 * the waiting thread, again and again while it waits.
 */
import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import type { Invocation } from './invocation.js';

/** How soon Ctrl-C works after another signal came first. */
const defaultRecheckMs = 250;
/** How often to look for a caller that cannot be seen: for some five seconds, in which most calls end by themselves. */
const looksForUnseen = 20;

const { SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM } = constants.signals;
/**
 * Signals that ask a program to end. Any other signal that is about to kill it shows as SIGKILL, which the kernel
 * adds to every thread (complete_signal in kernel/signal.c).
 */
const stopSignals = [SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM];

export class Interrupts {
  readonly #isInFlight: (invocation: Invocation) => boolean;
  readonly #readStatus: (pid: number) => Promise<string>;
  readonly #recheckMs: number;

  /** `readStatus` gives the text of /proc/PID/status; tests give their own. */
  constructor(
    isInFlight: (invocation: Invocation) => boolean,
    readStatus: (pid: number) => Promise<string> = (pid) => readFile(`/proc/${pid}/status`, 'latin1'),
    recheckMs = defaultRecheckMs,
  ) {
    this.#isInFlight = isInFlight;
    this.#readStatus = readStatus;
    this.#recheckMs = recheckMs;
  }

  /**
   * Aborts `invocation` as soon as its caller should stop. A caller that cannot be seen (another PID namespace, hidepid) may have had
   * any signal, such as a timer's, and gets some time. Never rejects.
   */
  async watch(invocation: Invocation): Promise<void> {
    let unseen = 0;
    while (this.#isInFlight(invocation) && !invocation.isAborted) {
      const isToldToStop = await this.#isToldToStop(invocation.pid);
      if (isToldToStop === undefined) unseen += 1;
      if (isToldToStop === true || unseen >= looksForUnseen) {
        invocation.abort();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, this.#recheckMs));
    }
  }

  /** Undefined if it cannot be seen. */
  async #isToldToStop(pid: number): Promise<boolean | undefined> {
    if (pid === 0) return undefined;
    try {
      return hasStopSignal(await this.#readStatus(pid));
    } catch {
      return undefined;
    }
  }
}

/** Whether a thread's /proc/PID/status (proc(5)) shows a pending signal, not blocked, that asks it to end. */
export function hasStopSignal(status: string): boolean {
  const pending = readMask(status, 'SigPnd') | readMask(status, 'ShdPnd');
  const blocked = readMask(status, 'SigBlk');
  return stopSignals.some((signal) => (pending & ~blocked & (1 << (signal - 1))) !== 0);
}

/** Signals 1 to 31 of a mask of 16 hexadecimal digits. Throws if the line is missing. */
function readMask(status: string, name: string): number {
  const digits = new RegExp(`^${name}:\\s*[0-9a-f]{8}([0-9a-f]{8})$`, 'm').exec(status)?.[1];
  if (digits === undefined) throw new Error(`no ${name} in /proc/PID/status`);
  return Number.parseInt(digits, 16) | 0;
}
