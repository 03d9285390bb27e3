/** One program's mount, made anew as often as jobs want the bucket cold. */
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run, start, waitUntil, type RunningChild } from '../../test/mount/child.js';
import { isMounted } from '../../test/mount/mounting.js';
import { runLimited, StepFailure } from './limited-run.js';
import type { MountProgram } from './measurements.js';
import { mountCommand, type MountCommand } from './mount-programs.js';
import { inNamespace, type Work } from './work.js';

const mountLimitMs = 60_000;
/** What is left to be stored goes to the bucket first. */
const unmountLimitMs = 120_000;

interface Running {
  readonly child: RunningChild;
  readonly unmountBy: MountCommand['unmountBy'];
}

export class ProgramMount {
  readonly program: MountProgram;
  readonly directory: string;
  readonly #work: Work;
  readonly #own: string;
  #running: Running | undefined;

  constructor(program: MountProgram, work: Work) {
    this.program = program;
    this.#work = work;
    this.#own = path.join(work.directory, program);
    this.directory = path.join(work.directory, `mnt-${program}`);
  }

  /** Undefined while it is not mounted, or if it has ended by itself. */
  get pid(): number | undefined {
    return this.#running?.child.hasEnded() === false ? this.#running.child.pid : undefined;
  }

  get hasEndedByItself(): boolean {
    return this.#running?.child.hasEnded() === true;
  }

  /** Mounts, having unmounted what was there; drops what the kernel knows in between. Rejects with `StepFailure`. */
  async open(writes: boolean): Promise<void> {
    await this.close();
    await dropKernelCaches();
    this.#work.signal.throwIfAborted();
    await mkdir(this.#own, { recursive: true, mode: 0o700 });
    await mkdir(this.directory, { recursive: true });
    const made = await mountCommand(this.program, this.#work, this.#own, this.directory, writes);
    const { command, args } = inNamespace(this.#work.namespace, made.command, made.args);
    const child = await start(command, args, { cwd: '/', env: made.env, ownGroup: true });
    this.#running = { child, unmountBy: made.unmountBy };
    await waitUntil(`${this.program} mounts`, mountLimitMs, async () => {
      this.#work.signal.throwIfAborted();
      if (child.hasEnded()) throw new Error(lastLine(child.output()));
      return isMounted(this.directory);
    }).catch((error: unknown) => {
      this.#work.signal.throwIfAborted();
      throw new StepFailure(`fails: does not mount: ${lastLine(String(error))}`, { cause: error });
    });
    // Mounted is not yet served: until then, what is measured first would wait for the program's start.
    await runLimited('stat', ['--', this.directory], {
      limitSeconds: mountLimitMs / 1000,
      signal: this.#work.signal,
    });
  }

  /** Unmounts and waits for the program to end, by force if it does not want to. Does nothing if it is not mounted. */
  async close(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    if (running.unmountBy === 'SIGTERM' && !running.child.hasEnded()) running.child.kill('SIGTERM');
    else if (await isMounted(this.directory)) await this.#unmount();
    await running.child.waitForEnd(unmountLimitMs).catch((error: unknown) => {
      this.#work.say(`${this.program} had to be killed: ${lastLine(String(error))}`);
    });
    await this.#detach();
    await rmdir(this.directory);
  }

  /** Ends it without waiting for anything; what is not stored is lost. */
  async kill(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    running.child.kill('SIGKILL');
    await this.#detach();
    await running.child.waitForEnd(10_000).catch(() => {
      this.#work.say(`${this.program}, process ${running.child.pid}, does not end although it was killed`);
    });
    await rmdir(this.directory);
  }

  async #unmount(): Promise<void> {
    // A job's last process may still be closing its files.
    await waitUntil(`${this.program} unmounts`, 10_000, async () => {
      return (await run('fusermount3', ['-u', this.directory], { timeoutMs: unmountLimitMs })).code === 0;
    }).catch(() => this.#detach());
  }

  async #detach(): Promise<void> {
    if (await isMounted(this.directory)) {
      await run('fusermount3', ['-u', '-z', this.directory], { timeoutMs: 10_000 });
    }
  }
}

export const canDropCaches = process.getuid?.() === 0;

/** Clean pages, names and attributes. Only root may; without it a cold mount is merely a new one. */
async function dropKernelCaches(): Promise<void> {
  if (canDropCaches) await writeFile('/proc/sys/vm/drop_caches', '3');
}

function lastLine(text: string): string {
  return (text.trim().split('\n').at(-1) ?? '').slice(0, 200);
}
