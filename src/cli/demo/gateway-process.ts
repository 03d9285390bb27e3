/**
 * The process of the demo's gateway, started by `gateway-child.ts` with the directory as its argument. It ends with the
 * channel to the demo, however that closes, so that no gateway stays behind.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gatewayGraceMs, type FromGateway } from './gateway-child.js';

/**
 * The demo needs its gateway until everything is stored, so the gateway ignores the signals that all processes of a terminal or a
 * session get. At SIGUSR1 Node would open its inspector to every user of this machine. Loading the gateway takes a while, so
 * large modules are imported after this.
 */
for (const signal of ['SIGUSR1', 'SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
const gone = new Promise<void>((resolve) => process.once('disconnect', resolve));
const { lockFile, startGateway } = await import('../../gateway/gateway.js');
const { startLogging } = await import('../logging.js');
const { limitCoreDumps } = await import('../../native/limit-core-dumps.js');
const { tryLockFile } = await import('../../native/lock-file.js');

/** The gateway of a demo that was killed needs a moment to end. */
const lockPatienceMs = 2 * gatewayGraceMs;
const lockRetryMs = 100;

const { log } = startLogging({ level: 'warn' });
await serveGateway(process.argv[2] ?? '').catch(async (error: unknown) => {
  log.error({ err: error }, 'the gateway could not be started');
  await send({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
});
process.exit();

async function serveGateway(directory: string): Promise<void> {
  limitCoreDumps();
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await lock(path.join(directory, lockFile));
  const https = { host: '127.0.0.1', port: 0 };
  const gateway = await startGateway({ directory, flavor: 'rgw', https, log });
  const { endpoint, authorityFile, accessKey } = gateway;
  await send({ type: 'listening', endpoint, authorityFile, ...accessKey });
  await gone;
  await gateway.stop(gatewayGraceMs);
}

async function lock(file: string): Promise<void> {
  const deadlineMs = performance.now() + lockPatienceMs;
  while (tryLockFile(file) === undefined) {
    if (performance.now() > deadlineMs || !process.connected) {
      throw new Error(`a gateway is running in ${path.dirname(file)} already; end it first`);
    }
    await delay(lockRetryMs);
  }
}

/** Resolves also if the demo is gone: the end of the channel tells this process. */
async function send(message: FromGateway): Promise<void> {
  await new Promise<void>((resolve) => {
    if (process.send && process.connected) process.send(message, undefined, undefined, () => resolve());
    else resolve();
  });
}
