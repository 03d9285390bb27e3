/** Gateways for tests: in the process of the tests, or in one of their own that can be killed. */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { CustomerKey } from '../../src/keys/customer-key.js';
import type { FlavorName } from '../../src/gateway/flavor.js';
import { startGateway, type GatewayOptions, type RunningGateway } from '../../src/gateway/gateway.js';
import type { S3Request } from '../../src/gateway/request.js';
import { connect, type S3Connection } from '../../src/s3/connect.js';
import { runOk, start, waitUntil, type RunningChild } from '../mount/child.js';
import { makeDirectory, type Scope } from '../mount/temporary.js';
import { projectRoot } from '../mount/user.js';
import { patienceMs } from '../patience.js';
import { silentLog } from '../silent-log.js';

export { silentLog };

/** Makes the AWS variables of this process lead to the gateway, for clients of every kind. */
function useGateway({ endpoint, accessKey, authorityFile }: RunningGateway): void {
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: accessKey.accessKeyId,
    AWS_SECRET_ACCESS_KEY: accessKey.secretAccessKey,
    AWS_CA_BUNDLE: authorityFile,
    AWS_REGION: 'us-east-1',
  });
}

/** Both listeners, on free ports; stopped at the end. */
export async function runGateway(
  scope: Scope,
  flavor: FlavorName,
  options: Partial<GatewayOptions> = {},
): Promise<RunningGateway & { readonly directory: string }> {
  const directory = options.directory ?? path.join(await makeDirectory(scope), 'gateway');
  const gateway = await startGateway({
    directory,
    flavor,
    https: { host: '127.0.0.1', port: 0 },
    http: { host: '127.0.0.1', port: 0 },
    log: silentLog,
    ...options,
  });
  scope.teardown(() => gateway.stop(1_000));
  useGateway(gateway);
  return { ...gateway, directory };
}

/** Holds back, for a gateway's `admit`, the requests that `isHeld` chooses, until they are let go. */
export class RequestGate {
  readonly #isHeld: (request: S3Request) => boolean;
  readonly #opened: Promise<void>;
  #open: () => void = () => undefined;
  #heldCount = 0;

  constructor(isHeld: (request: S3Request) => boolean) {
    this.#isHeld = isHeld;
    this.#opened = new Promise((resolve) => (this.#open = resolve));
  }

  /** How many have been held back. */
  get heldCount(): number {
    return this.#heldCount;
  }

  readonly admit = async (request: S3Request): Promise<void> => {
    if (!this.#isHeld(request)) return;
    this.#heldCount += 1;
    await this.#opened;
  };

  /** Lets go all that are held, and holds none any more. */
  open(): void {
    this.#open();
  }
}

/** As the AWS variables say. */
export function connectToGateway(): Promise<S3Connection> {
  return connect({
    allowPlainHttp: false,
    requestTimeoutMs: 30_000,
    connectTimeoutMs: 5_000,
    maxSockets: 64,
    log: silentLog,
  });
}

export function newCustomerKey(): CustomerKey {
  return new CustomerKey(randomBytes(32));
}

/** The fields of SDK commands that bring a customer key. */
export function sseC(customerKey: CustomerKey) {
  return {
    SSECustomerAlgorithm: 'AES256',
    SSECustomerKey: customerKey.toBase64(),
    SSECustomerKeyMD5: customerKey.fingerprint,
  };
}

export function md5Of(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex');
}

/** Every file below a folder of the gateway's directory. */
export async function filesBelow(directory: string, folder: string): Promise<string[]> {
  const entries = await readdir(path.join(directory, folder), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

export async function readAll(files: readonly string[]): Promise<Buffer> {
  return Buffer.concat(await Promise.all(files.map((file) => readFile(file))));
}

const main = path.join(projectRoot, 'dist/src/main.cjs');

/** `osirisfs gateway` in a process of its own, by default on a free port; what it printed leads there. */
export async function startGatewayProcess(
  scope: Scope,
  directory: string,
  args: readonly string[] = [],
  address = '127.0.0.1:0',
): Promise<{ readonly child: RunningChild; readonly env: Record<string, string> }> {
  const child = await start(process.execPath, [main, 'gateway', directory, '--listen', address, ...args]);
  scope.teardown(async () => {
    if (!child.hasEnded()) child.kill('SIGKILL');
    await child.waitForEnd(patienceMs);
  });
  await waitUntil('the gateway listens', patienceMs, () => {
    if (child.hasEnded()) throw new Error(`the gateway ended: ${child.output()}`);
    return child.output().includes('--print-env');
  });
  const env: Record<string, string> = {};
  const lines = await runOk(process.execPath, [main, 'gateway', directory, '--print-env']);
  for (const [, name, value] of lines.matchAll(/^export (\w+)='(.*)'$/gm)) {
    if (name !== undefined && value !== undefined) env[name] = value;
  }
  return { child, env };
}
