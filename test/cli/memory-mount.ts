/** Runs `memory-main.ts` as a user runs osirisfs, and sees to it that no mount and no process of it outlives the test. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { hasEnded } from '../../src/cli/serving/mount-registry.js';
import { type Finished, run, type RunningChild, start, waitUntil } from '../mount/child.js';
import { isMounted, makeMountpoint } from '../mount/mounting.js';
import { type KeyFile, makeDirectory, makeKeyFile } from '../mount/temporary.js';
import { patienceMs } from '../patience.js';
import type { Misbehaviour } from './memory-main.js';

/** What runs in place of dist/src/main.cjs. */
export const mainFile = fileURLToPath(new URL('memory-main.js', import.meta.url));

interface MemoryMount {
  readonly directory: string;
  readonly keyFile: KeyFile;
  readonly logFile: string;
  /** Without the session, log or config of the tests' user. */
  readonly environment: Readonly<Record<string, string>>;
  log(): Promise<string>;
  /** Runs `mount` in the background to the end of the command. */
  mount(misbehaviour?: Misbehaviour): Promise<Finished>;
  /** The same with these arguments after the mountpoint, and these variables changed. */
  mountWith(args: readonly string[], environment?: Readonly<Record<string, string>>): Promise<Finished>;
  /** Starts `mount` with `--foreground`, or the command in the background, and does not wait. */
  start(foreground: boolean, misbehaviour?: Misbehaviour): Promise<RunningChild>;
  umount(...args: readonly string[]): Promise<Finished>;
  /** The same, and does not wait. */
  startUmount(): Promise<RunningChild>;
  isMounted(): Promise<boolean>;
  /** The id of the process that serves in the background, from its log. */
  servingPid(): Promise<number>;
}

/** A mountpoint, a key and a log of their own. */
export async function memoryMount(
  t: ExecutionContext,
  ...extraArgs: readonly string[]
): Promise<MemoryMount> {
  const directory = await makeMountpoint(t);
  const scratch = await makeDirectory(t);
  const keyFile = await makeKeyFile(t);
  const logFile = path.join(scratch, 'log');
  const environment = { XDG_RUNTIME_DIR: scratch, XDG_STATE_HOME: scratch, XDG_CONFIG_HOME: scratch };
  const env = (misbehaviour: Misbehaviour) => ({
    ...environment,
    MEMORY_MAIN: JSON.stringify(misbehaviour),
  });
  const beginning = [mainFile, 'mount', 'bucket', directory];
  const args = [...beginning, '--key-file', keyFile.path, '--log-file', logFile, ...extraArgs];
  const log = () => readFile(logFile, 'utf8').catch(() => '');
  const servingPid = async () => Number(/"pid":(\d+)/.exec(await log())?.[1]);
  const children: RunningChild[] = [];
  t.teardown(async () => {
    if (await isMounted(directory))
      await run('fusermount3', ['-u', '-z', directory], { timeoutMs: patienceMs });
    for (const child of children) {
      child.kill('SIGKILL');
      await child.waitForEnd(patienceMs);
    }
    await endProcess(await servingPid());
  });
  return {
    directory,
    keyFile,
    logFile,
    log,
    servingPid,
    environment,
    mount: (misbehaviour = {}) => run(process.execPath, args, { env: env(misbehaviour) }),
    mountWith: (otherArgs, changed = {}) =>
      run(process.execPath, [...beginning, ...otherArgs], { env: { ...env({}), ...changed } }),
    start: async (foreground, misbehaviour = {}) => {
      const mode = foreground ? ['--foreground'] : [];
      const child = await start(process.execPath, [...args, ...mode], { env: env(misbehaviour) });
      children.push(child);
      return child;
    },
    umount: (...more) =>
      run(process.execPath, [mainFile, 'umount', directory, ...more], { env: env({}), cwd: '/' }),
    startUmount: async () => {
      const child = await start(process.execPath, [mainFile, 'umount', directory], {
        env: env({}),
        cwd: '/',
      });
      children.push(child);
      return child;
    },
    isMounted: () => isMounted(directory),
  };
}

/** The process may have ended long ago, and its id may belong to another one: kills only a process of ours. */
async function endProcess(pid: number): Promise<void> {
  if (!Number.isSafeInteger(pid)) return;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  if (!commandLine.includes(mainFile)) return;
  process.kill(pid, 'SIGKILL');
  await waitUntil(`end of process ${pid}`, patienceMs, () => hasEnded(pid));
}
