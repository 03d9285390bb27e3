/** A server of one test's own, for tests that stop it or hang it: of the kind that the others run on. */
import path from 'node:path';
import { startGatewayProcess } from '../gateway/running-gateway.js';
import { patienceMs } from '../patience.js';
import { run, runOk } from './child.js';
import { serverUnderTest } from './server.js';
import { makeDirectory, type Scope } from './temporary.js';
import { projectRoot } from './user.js';

export interface Gateway {
  /** The AWS variables that lead to it, for mounts and for boto3. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
  /** Brings it back with everything it had. */
  start(): Promise<void>;
  /** Makes it accept connections and never answer, or answer again. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void>;
}

export function startGateway(scope: Scope): Promise<Gateway> {
  return serverUnderTest.kind === 'ceph' ? startCeph(scope) : startEmbedded(scope);
}

const script = process.env['OSIRISFS_TEST_RGW'] ?? path.join(projectRoot, 'scripts/rgw');
const limit = { timeoutMs: 120_000 };

async function startCeph(scope: Scope): Promise<Gateway> {
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

/** `osirisfs gateway`. It comes back on the port that it had, as a server does. */
async function startEmbedded(scope: Scope): Promise<Gateway> {
  const directory = path.join(await makeDirectory(scope), 'gateway');
  let { child, env } = await startGatewayProcess(scope, directory);
  const { host } = new URL(env['AWS_ENDPOINT_URL'] ?? '');
  return {
    env,
    stop: async () => {
      child.kill('SIGTERM');
      const { code } = await child.waitForEnd(patienceMs);
      if (code !== 0) throw new Error(`the gateway ended with ${code ?? 'a signal'}: ${child.output()}`);
    },
    start: async () => {
      ({ child, env } = await startGatewayProcess(scope, directory, [], host));
    },
    signal: (name) => {
      child.kill(name);
      return Promise.resolve();
    },
  };
}
