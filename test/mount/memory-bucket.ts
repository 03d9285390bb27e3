/** Starts `memory-bucket-server` for one test, and sees to it that neither mount nor process outlives the test. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { patienceMs } from '../patience.js';
import { run } from './child.js';
import type { Holdings, ServerMessage } from './memory-bucket-server.js';
import { isMounted, makeMountpoint } from './mounting.js';
import type { Scope } from './temporary.js';

export interface MemoryBucket {
  readonly directory: string;
  /** What the process that serves it holds now. */
  holdings(): Promise<Holdings>;
  /** Unmounts; rejects unless the process ends with 0. */
  unmount(): Promise<void>;
}

const limitMs = 60_000;
const serverFile = fileURLToPath(new URL('memory-bucket-server.js', import.meta.url));

/** Mounts an empty bucket that is kept in memory. */
export async function mountMemoryBucket(scope: Scope): Promise<MemoryBucket> {
  const directory = await makeMountpoint(scope);
  const child = fork(serverFile, [directory], { cwd: '/', execArgv: ['--expose-gc'] });
  const exited = once(child, 'exit');
  scope.teardown(async () => {
    if (await isMounted(directory))
      await run('fusermount3', ['-u', '-z', directory], { timeoutMs: patienceMs });
    child.kill('SIGKILL');
    await exited;
  });
  const nextMessage = async (): Promise<ServerMessage> => {
    const answer = once(child, 'message', { signal: AbortSignal.timeout(limitMs) });
    const [message] = (await Promise.race([answer, exited.then(failOnExit)])) as [ServerMessage];
    return message;
  };
  await nextMessage();
  return {
    directory,
    holdings: async () => {
      child.send('holdings');
      const message = await nextMessage();
      if (message === 'mounted') throw new Error('mounted twice');
      return message;
    },
    unmount: async () => {
      const { code, stderr } = await run('fusermount3', ['-u', directory], { timeoutMs: patienceMs });
      if (code !== 0) throw new Error(stderr);
      const [exitCode] = (await exited) as [number | null];
      if (exitCode !== 0) throw new Error(`the server ended with ${exitCode ?? 'a signal'}`);
    },
  };
}

function failOnExit(): never {
  throw new Error('the server ended');
}
