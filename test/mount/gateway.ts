/** A gateway of one test's own, for tests that stop it or hang it. */
import path from 'node:path';
import { run, runOk } from './child.js';
import { makeDirectory, type Scope } from './temporary.js';
import { projectRoot } from './user.js';

export interface Gateway {
  /** The AWS variables that lead to it, for mounts and for boto3. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
  /** Brings it back with everything it had. */
  start(): Promise<void>;
  /** Makes radosgw accept connections and never answer, or answer again. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void>;
}

const script = path.join(projectRoot, 'scripts/rgw');
const limit = { timeoutMs: 120_000 };

export async function startGateway(scope: Scope): Promise<Gateway> {
  const directory = path.join(await makeDirectory(scope), 'rgw');
  let isStopped = false;
  const rgwPid = async (): Promise<number> => {
    const { stdout } = await run(script, ['status', directory], limit);
    const pid = /^rgw: (\d+)$/m.exec(stdout)?.[1];
    if (pid === undefined) throw new Error(`radosgw does not run: ${stdout}`);
    return Number(pid);
  };
  const signal = async (name: 'SIGSTOP' | 'SIGCONT'): Promise<void> => {
    process.kill(await rgwPid(), name);
    isStopped = name === 'SIGSTOP';
  };
  scope.teardown(async () => {
    if (isStopped) await signal('SIGCONT');
    await runOk(script, ['delete', directory], limit);
  });
  await runOk(script, ['start', directory], limit);
  const env: Record<string, string> = {};
  for (const [, name, value] of (await runOk(script, ['env', directory])).matchAll(
    /^export (\w+)='(.*)'$/gm,
  )) {
    if (name !== undefined && value !== undefined) env[name] = value;
  }
  return {
    env,
    stop: async () => {
      await runOk(script, ['stop', directory], limit);
    },
    start: async () => {
      await runOk(script, ['start', directory], limit);
    },
    signal,
  };
}
