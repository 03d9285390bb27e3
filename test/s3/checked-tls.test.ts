// Whatever Node is told by environment or flags, a certificate is checked and TLS is 1.2 at least, for each of our clients.
import https from 'node:https';
import { once } from 'node:events';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { serverChecks } from '../../src/cli/doctor/server-checks.js';
import { StoreError } from '../../src/errors.js';
import { listBuckets } from '../../src/s3/account.js';
import { connect, type ConnectOptions } from '../../src/s3/connect.js';
import { S3ObjectStore } from '../../src/s3/s3-object-store.js';
import { listen, makeCertificate, never, silentLog, startFakeServer, testKey } from './fake-server.js';

// As Node reads them when a connection is made: what NODE_TLS_REJECT_UNAUTHORIZED=0 and
// NODE_OPTIONS='--tls-min-v1.0 --tls-cipher-list=…' do.
process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
tls.DEFAULT_MIN_VERSION = 'TLSv1';
tls.DEFAULT_CIPHERS = 'DEFAULT:@SECLEVEL=0';

const credentials = { accessKeyId: 'ACCESS', secretAccessKey: 'hushhush' };

function optionsFor(endpoint: URL, caBundle?: string): ConnectOptions {
  return {
    endpoint: endpoint.href,
    region: 'us-east-1',
    ...(caBundle !== undefined && { caBundle }),
    credentials,
    allowPlainHttp: false,
    requestTimeoutMs: 5_000,
    connectTimeoutMs: 5_000,
    maxSockets: 4,
    log: silentLog,
  };
}

/** How each client fails: the SDK's, the direct one, doctor's. */
async function outcomes(t: ExecutionContext, options: ConnectOptions): Promise<[string, string, string]> {
  const connection = await connect(options);
  t.teardown(() => connection.close());
  const { client, endpoint } = connection;
  const common = { customerKey: testKey, plaintext: 'read', log: silentLog } as const;
  const store = new S3ObjectStore({ access: connection, endpoint, bucket: 'bucket', ...common });
  const codeOf = async (sending: Promise<unknown>): Promise<string> => {
    const error = await sending.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    return error instanceof StoreError ? error.code : 'none';
  };
  const { checks } = serverChecks({
    connection: options,
    bucket: undefined,
    prefix: '',
    keyFiles: undefined,
    mayWrite: false,
    log: silentLog,
    now: () => new Date(),
  });
  for (const check of checks.filter(({ name }) => name === 'endpoint')) await check.run(never);
  const tlsCheck = checks.find(({ name }) => name === 'TLS');
  const finding = await tlsCheck?.run(never);
  return [
    await codeOf(listBuckets(client, never)),
    await codeOf(store.head('key', never)),
    finding?.verdict ?? 'none',
  ];
}

test('a server whose certificate is not trusted receives nothing, whatever NODE_TLS_REJECT_UNAUTHORIZED says', async (t) => {
  const certificate = await makeCertificate(t);
  const { endpoint, received } = await startFakeServer(t, (_, response) => response.end(), certificate);
  await new Promise<void>((resolve, reject) => {
    https.get(endpoint, (response) => response.resume().on('end', resolve)).on('error', reject);
  });
  t.is(received.splice(0).length, 1, 'Node itself goes by the variable');
  t.deepEqual(await outcomes(t, optionsFor(endpoint)), [
    'CertificateRejected',
    'CertificateRejected',
    'failed',
  ]);
  t.deepEqual(received, []);
});

test('TLS 1.1 is refused, whatever minimum Node was started with', async (t) => {
  const { cert, key, authorityPath, authority } = await makeCertificate(t);
  const versions: (string | null)[] = [];
  const server = https.createServer(
    { cert, key, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' },
    (_, response) => response.end(),
  );
  server.on('secureConnection', (socket: tls.TLSSocket) => versions.push(socket.getProtocol()));
  const endpoint = await listen(t, server, 'https');
  const socket = tls.connect({ host: '127.0.0.1', port: Number(endpoint.port), ca: authority });
  await once(socket, 'secureConnect');
  socket.destroy();
  t.deepEqual(versions.splice(0), ['TLSv1.1'], 'Node itself goes by its flags');
  t.deepEqual(await outcomes(t, optionsFor(endpoint, authorityPath)), [
    'Unreachable',
    'Unreachable',
    'failed',
  ]);
  t.deepEqual(versions, []);
});
