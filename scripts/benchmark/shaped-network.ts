/** A network namespace for clients, from which the gateway is behind a link with a delay and a rate. Needs root. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runLimited } from './limited-run.js';

/** Of the range for benchmarks (RFC 2544), which nobody's network has. */
export const serverAddress = '198.18.71.1';
const clientAddress = '198.18.71.2';
const prefixLength = 30;
const megabitsPerSecond = 1000;
const program = path.join(path.dirname(fileURLToPath(import.meta.url)), 'delay-line.js');

export interface ShapedNetwork {
  /** Under /run/netns. */
  readonly namespace: string;
  setRoundTrip(ms: number): void;
  end(): Promise<void>;
}

/** `namespace` is removed at the end; the caller sees to it should this process not come to that. */
export async function makeShapedNetwork(namespace: string, signal: AbortSignal): Promise<ShapedNetwork> {
  const limits = { limitSeconds: 20, signal };
  const ip = (...args: string[]) => runLimited('ip', args, limits);
  // A device's name has at most 15 characters.
  const suffix = String(process.pid);
  const [serverDevice, clientDevice] = [`obs${suffix}`, `obc${suffix}`];
  await ip('netns', 'add', namespace);
  const line = spawn(process.execPath, [program, serverDevice, clientDevice, String(megabitsPerSecond)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const ended = once(line, 'close');
  const end = async (): Promise<void> => {
    line.stdin.end();
    await ended;
    await runLimited('ip', ['netns', 'del', namespace], {
      limitSeconds: 20,
      signal: new AbortController().signal,
    });
  };
  // Written to after it has ended by itself, which the jobs then show.
  line.stdin.on('error', () => undefined);
  await Promise.race([
    once(line.stdout, 'data'),
    ended.then(() => Promise.reject(new Error('the shaped link could not be made'))),
  ]);
  await ip('link', 'set', clientDevice, 'netns', namespace);
  await ip('addr', 'add', `${serverAddress}/${prefixLength}`, 'dev', serverDevice);
  await ip('link', 'set', serverDevice, 'up');
  await ip('-n', namespace, 'addr', 'add', `${clientAddress}/${prefixLength}`, 'dev', clientDevice);
  await ip('-n', namespace, 'link', 'set', clientDevice, 'up');
  return {
    namespace,
    // Half of it each way.
    setRoundTrip: (ms) => void line.stdin.write(`${ms / 2}\n`),
    end,
  };
}
