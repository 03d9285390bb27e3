/** The gateway as a whole: an S3 server with SSE-C over one local directory, for trying and testing. Read this first. */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../log.js';
import { loadAccessKey, readAccessKey } from './access-key-file.js';
import { loadCertificates } from './certificates.js';
import { flavors, type FlavorName } from './flavor.js';
import { listen, type HttpLimits, type Listening } from './http-server.js';
import { chooseOperation } from './operations/choose-operation.js';
import { requireValidKey } from './operations/gateway-operation.js';
import { payloadOf } from './payload.js';
import type { S3Request } from './request.js';
import type { AccessKey } from './signatures/access-keys.js';
import { authenticateRequest } from './signatures/authenticate.js';
import { writeDurably } from './storage/durable-files.js';
import { Storage } from './storage/storage.js';

export interface Address {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

export interface GatewayOptions {
  /** Must be empty, missing or made by a gateway. Only this gateway may use it. */
  readonly directory: string;
  readonly flavor: FlavorName;
  readonly https: Address;
  /** Requests with a customer key are refused there. */
  readonly http?: Address | undefined;
  readonly limits?: Partial<HttpLimits>;
  readonly log: Log;
  readonly now?: () => number;
  /** Each request waits for this first. Default: no wait. */
  readonly admit?: (request: S3Request) => Promise<void>;
}

/** What clients need. */
export interface GatewayAccess {
  readonly endpoint: string;
  readonly accessKey: AccessKey;
  readonly authorityFile: string;
}

export interface RunningGateway extends GatewayAccess {
  /** Undefined if there is none. */
  readonly httpEndpoint: string | undefined;
  /** Lets requests under way finish, for at most `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** The directory is not a gateway's. The message is for users. */
export class GatewayDirectoryError extends Error {
  override readonly name = 'GatewayDirectoryError';
}

const defaultLimits: HttpLimits = {
  maxConnections: 512,
  idleTimeoutMs: 60_000,
  requestTimeoutMs: 3_600_000,
};

const formatFile = 'gateway.json';
const format = 1;

/** Rejects with a `GatewayDirectoryError` or the system's error. */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const { directory, log, now = Date.now } = options;
  const flavor = flavors[options.flavor];
  const limits = { ...defaultLimits, ...options.limits };
  await claimDirectory(directory);
  const accessKey = await loadAccessKey(path.join(directory, 'access-key.json'));
  const certificates = await loadCertificates(path.join(directory, 'tls'), options.https.host, now());
  const storage = await Storage.open(directory, log);
  const handle: Parameters<typeof listen>[0]['handle'] = async (request) => {
    await options.admit?.(request);
    const nowMs = now();
    const claim = authenticateRequest(request, flavor, accessKey, nowMs);
    requireValidKey(request, flavor);
    const operation = chooseOperation(request);
    return operation({ request, storage, flavor, nowMs, payload: () => payloadOf(request, claim, flavor) });
  };
  const https = await listen({ ...options.https, tls: certificates, limits, log, handle });
  let http: Listening | undefined;
  try {
    if (options.http) http = await listen({ ...options.http, tls: undefined, limits, log, handle });
    const endpoint = urlOf('https', https);
    await writeDurably(path.join(directory, formatFile), JSON.stringify({ format, endpoint }));
    return {
      endpoint,
      httpEndpoint: http && urlOf('http', http),
      accessKey,
      authorityFile: certificates.authorityFile,
      stop: async (graceMs) => {
        await Promise.all([https.close(graceMs), http?.close(graceMs)]);
      },
    };
  } catch (error) {
    await Promise.all([https.close(0), http?.close(0)]);
    throw error;
  }
}

/** The address of the gateway that runs in the directory, or ran there last. Rejects with a `GatewayDirectoryError`. */
export async function readGatewayAccess(directory: string): Promise<GatewayAccess> {
  const { endpoint } = (await readFormat(directory)) ?? {};
  const accessKey = await readAccessKey(path.join(directory, 'access-key.json'));
  if (endpoint === undefined || accessKey === undefined) {
    throw new GatewayDirectoryError(`no gateway has run in ${directory} yet`);
  }
  return { endpoint, accessKey, authorityFile: path.join(directory, 'tls', 'ca.crt') };
}

async function claimDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const known = await readFormat(directory);
  if (known !== undefined) {
    if (known.format === format) return;
    throw new GatewayDirectoryError(`${directory} was made by another version of osirisfs`);
  }
  const names = (await readdir(directory)).filter((name) => name !== lockFile);
  if (names.length > 0) throw new GatewayDirectoryError(`${directory} is neither empty nor a gateway's`);
  await writeDurably(path.join(directory, formatFile), JSON.stringify({ format }));
}

/** The lock file in the directory, so that it has one gateway at a time. */
export const lockFile = 'gateway.lock';

async function readFormat(
  directory: string,
): Promise<{ readonly format: number; readonly endpoint?: string } | undefined> {
  try {
    return JSON.parse(await readFile(path.join(directory, formatFile), 'utf8')) as {
      readonly format: number;
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function urlOf(scheme: string, { host, port }: Listening): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
