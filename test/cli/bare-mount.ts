/**
 * A FUSE mount without a file system behind it, for tests: nobody answers while the holder lives, and everything fails
 * with ENOTCONN once it is gone. python3 can receive the device from fusermount3; Node cannot.
 */
import type { ExecutionContext } from 'ava';
import { run, start, waitUntil, type RunningChild } from '../mount/child.js';
import { isMounted } from '../mount/mounting.js';
import { patienceMs } from '../patience.js';

const script = `
import os, signal, socket, subprocess, sys
ours, theirs = socket.socketpair()
options = 'fsname=bare,subtype=' + sys.argv[2]
subprocess.run(['fusermount3', '-o', options, '--', sys.argv[1]], pass_fds=[theirs.fileno()],
               env=dict(os.environ, _FUSE_COMMFD=str(theirs.fileno())), check=True)
theirs.close()
ours.recvmsg(1, socket.CMSG_LEN(4))
while True: signal.pause()
`;

/** Resolves when it is mounted; it stays until the child is killed, and dead until the end of the test. */
export async function bareMount(
  t: ExecutionContext,
  directory: string,
  subtype = 'osirisfs',
): Promise<RunningChild> {
  const holder = await start('/usr/bin/python3', ['-c', script, directory, subtype]);
  t.teardown(async () => {
    holder.kill('SIGKILL');
    await holder.waitForEnd(patienceMs);
    if (await isMounted(directory))
      await run('fusermount3', ['-u', '-z', directory], { timeoutMs: patienceMs });
  });
  await waitUntil(`bare mount on ${directory}`, patienceMs, async () => {
    if (holder.hasEnded()) throw new Error(`the bare mount failed: ${holder.output()}`);
    return isMounted(directory);
  });
  return holder;
}

/** A mount whose process is gone. */
export async function deadMount(t: ExecutionContext, directory: string, subtype = 'osirisfs'): Promise<void> {
  const holder = await bareMount(t, directory, subtype);
  holder.kill('SIGKILL');
  await holder.waitForEnd(patienceMs);
}
