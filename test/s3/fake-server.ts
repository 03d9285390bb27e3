/** A server that answers as a test says, over TLS with a certificate of its own authority, or over plain http. */
import { execFile } from 'node:child_process';
import { once, setMaxListeners } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import type { Clock } from '../../src/clock.js';
import { CustomerKey } from '../../src/keys/customer-key.js';
import { ReusedConnections } from '../../src/http/reused-connections.js';
import { WatchedHttpAgent } from '../../src/http/watched-agents.js';
import type { S3Access } from '../../src/s3/bucket-client.js';
import { EncryptionProof } from '../../src/s3/encryption-proof.js';
import { PatientHttpHandler } from '../../src/s3/patient-http-handler.js';
import { makeS3Client, settingsOf } from '../../src/s3/s3-client.js';
import { S3ObjectStore, type S3StoreOptions } from '../../src/s3/s3-object-store.js';
import { Transport } from '../../src/s3/transport.js';
import { silentLog } from '../silent-log.js';

export interface Received {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

interface FakeServer {
  readonly endpoint: URL;
  readonly received: Received[];
}

export type Answer = (request: Received, response: http.ServerResponse) => void;

export { silentLog };

export const testKey = new CustomerKey(Buffer.alloc(32, 'test key'));
export const never = new AbortController().signal;
setMaxListeners(0, never); // one for all calls of all tests

interface TestCertificate {
  /** The authority's certificate, and the path of a file with it. */
  readonly authority: string;
  readonly authorityPath: string;
  readonly cert: string;
  readonly key: string;
}

/** A certificate for localhost and 127.0.0.1, or for what `altNames` says; removed with the test. */
export async function makeCertificate(
  t: ExecutionContext,
  altNames = 'DNS:localhost,IP:127.0.0.1',
): Promise<TestCertificate> {
  const directory = await temporaryDirectory(t);
  const openssl = async (...args: string[]) => {
    await promisify(execFile)('openssl', args, { cwd: directory });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=Test CA');
  await openssl(
    'req',
    '-x509',
    ...newKey,
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-keyout',
    'server.key',
    '-out',
    'server.crt',
    '-subj',
    '/CN=localhost',
    '-addext',
    `subjectAltName=${altNames}`,
    '-addext',
    'basicConstraints=critical,CA:false',
  );
  return {
    authority: await readFile(path.join(directory, 'ca.crt'), 'utf8'),
    authorityPath: path.join(directory, 'ca.crt'),
    cert: await readFile(path.join(directory, 'server.crt'), 'utf8'),
    key: await readFile(path.join(directory, 'server.key'), 'utf8'),
  };
}

export async function temporaryDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'osirisfs-s3-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Over TLS if there is a certificate. */
export async function startFakeServer(
  t: ExecutionContext,
  answer: Answer,
  certificate?: TestCertificate,
): Promise<FakeServer> {
  const received: Received[] = [];
  const listener: http.RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const complete = { method, url, headers, body: Buffer.concat(chunks) };
      received.push(complete);
      answer(complete, response);
    });
  };
  const server = certificate ? https.createServer(certificate, listener) : http.createServer(listener);
  return { endpoint: await listen(t, server, certificate ? 'https' : 'http'), received };
}

/** Resolves with where the server listens, until the test ends. */
export async function listen(
  t: Pick<ExecutionContext, 'teardown'>,
  server: net.Server & { closeAllConnections?(): void },
  scheme: 'http' | 'https' = 'http',
): Promise<URL> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections?.();
    server.close();
  });
  const { port } = server.address() as net.AddressInfo;
  return new URL(`${scheme}://127.0.0.1:${port}`);
}

/** Of the error that it rejects with; '' if it does not. */
export async function codeOf(sending: Promise<unknown>): Promise<string> {
  try {
    await sending;
    return '';
  } catch (error) {
    return String(Reflect.get(error as Error, 'code'));
  }
}

interface AccessOptions {
  readonly idleTimeoutMs?: number;
  readonly workTimeoutMs?: number;
  readonly connectTimeoutMs?: number;
  /** The authority to believe. */
  readonly ca?: string;
  readonly sessionToken?: string;
  /** For the first byte on a connection that was used before. */
  readonly firstByteTimeoutMs?: number;
  readonly clock?: Clock;
}

/** The ways to a server as `connect` makes them, but with credentials of its own. */
export function makeAccess(t: ExecutionContext, endpoint: URL, options: AccessOptions = {}): S3Access {
  const { firstByteTimeoutMs, ca, clock } = options;
  const reused = new ReusedConnections(firstByteTimeoutMs === undefined ? {} : { firstByteTimeoutMs });
  const limits = {
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    idleTimeoutMs: options.idleTimeoutMs ?? 20_000,
    workTimeoutMs: options.workTimeoutMs ?? 20_000,
    reused,
  };
  const place = { endpoint, region: 'us-east-1' };
  const client = makeS3Client({
    ...place,
    credentials: {
      accessKeyId: 'TESTACCESSKEY',
      secretAccessKey: 'test-secret',
      ...(options.sessionToken !== undefined && { sessionToken: options.sessionToken }),
    },
    requestHandler: new PatientHttpHandler({
      allowedServers: { kind: 'endpoint', endpoint },
      httpAgent: new WatchedHttpAgent({ keepAlive: true }, reused),
      httpsAgent: new https.Agent({ keepAlive: true, ...(ca !== undefined && { ca }) }),
      ...limits,
    }),
  });
  const trusted = () => (ca === undefined ? {} : { ca });
  const transport = new Transport({
    ...settingsOf(client, place),
    http: { requireAllowed: () => undefined, trusted, ...limits },
    ...(clock && { clock }),
  });
  t.teardown(() => {
    transport.close();
    client.destroy();
  });
  return { client, transport };
}

/** Of a server that is known to encrypt. */
export function provenEncryption(): EncryptionProof {
  const proof = new EncryptionProof(silentLog);
  proof.checkRead(
    { operation: 'head', key: 'k' },
    { algorithm: 'AES256', keyMd5: undefined },
    testKey.fingerprint,
  );
  return proof;
}

/** A store on a server that answers as `answer` says, and is known to encrypt. */
export async function makeFakeStore(
  t: ExecutionContext,
  answer: Answer,
  options: Partial<S3StoreOptions> & AccessOptions = {},
): Promise<{ readonly store: S3ObjectStore; readonly received: Received[]; readonly endpoint: URL }> {
  const { endpoint, received } = await startFakeServer(t, answer);
  const store = new S3ObjectStore({
    access: makeAccess(t, endpoint, options),
    endpoint,
    bucket: 'bucket',
    customerKey: testKey,
    plaintext: 'read',
    encryptionProof: provenEncryption(),
    log: silentLog,
    ...options,
  });
  return { store, received, endpoint };
}

/** The reply headers of an encrypted object. */
export const encryptedHeaders = {
  'x-amz-server-side-encryption-customer-algorithm': 'AES256',
  'x-amz-server-side-encryption-customer-key-md5': testKey.fingerprint,
};

export function objectHeaders(etag: string, encrypted = true): Record<string, string> {
  return {
    etag: `"${etag}"`,
    'last-modified': 'Tue, 24 Nov 2026 21:31:39 GMT',
    ...(encrypted && encryptedHeaders),
  };
}

export function refuse(response: http.ServerResponse, status: number, code?: string): void {
  response.writeHead(status, { 'content-type': 'application/xml', 'x-amz-request-id': 'test-request' });
  response.end(code === undefined ? '' : `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
}

export function answerXml(
  response: http.ServerResponse,
  xml: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(200, { 'content-type': 'application/xml', ...headers });
  response.end(`<?xml version="1.0" encoding="UTF-8"?>${xml}`);
}

/** Whether the request came with the customer key. */
export function hasCustomerKey({ headers }: Received): boolean {
  return headers['x-amz-server-side-encryption-customer-key'] === testKey.toBase64();
}
