import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { measured } from '../measured.js';
import { makeBucket, putByBoto3, withBoto3 } from '../mount/bucket.js';
import { isMounted, makeMountpoint, osirisfs } from '../mount/mounting.js';
import { makeDirectory, makeKeyFile, type KeyFile } from '../mount/temporary.js';
import { patienceMs } from '../patience.js';
import { cephTest } from './ceph-test.js';

/** Nothing on the way to the server is tried for longer than this before a user is told. */
const soonMs = 30_000;

interface BadMount {
  readonly bucket: string;
  readonly keyFile?: KeyFile;
  readonly options?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** The mount must fail soon with exit code 1 and this one line, mount nothing and show no secret. */
async function refuses(t: ExecutionContext, mount: BadMount, line: RegExp): Promise<void> {
  const keyFile = mount.keyFile ?? (await makeKeyFile(t));
  const directory = await makeMountpoint(t);
  const logFile = path.join(await makeDirectory(t), 'log');
  const args = ['mount', mount.bucket, directory, '--key-file', keyFile.path, '--log-file', logFile];
  const { code, stdout, stderr, durationMs } = await osirisfs([...args, ...(mount.options ?? [])], {
    env: { HOME: '/proc/nowhere', ...mount.env },
    timeoutMs: 2 * patienceMs,
  });
  t.is(stdout, '');
  t.regex(stderr, /^osirisfs: [^\n]+\n$/);
  t.regex(stderr, line);
  t.is(code, 1);
  measured(t, durationMs < soonMs, `${durationMs} ms until it was refused`);
  t.false(await isMounted(directory));
  for (const secret of [keyFile.keystring, process.env['AWS_SECRET_ACCESS_KEY'] ?? '', 'geheim']) {
    t.false(stderr.includes(secret));
  }
}

/** A server that says `answer` to everybody who connects, or, if it is empty, nothing at all. Returns host and port. */
async function listen(t: ExecutionContext, answer: string): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).resume();
    if (answer !== '') socket.once('data', () => socket.end(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return `127.0.0.1:${address.port}`;
}

cephTest('a key that does not decrypt what is in the bucket is refused, by its fingerprint', async (t) => {
  const bucket = await makeBucket(t);
  const keyFile = await makeKeyFile(t);
  await putByBoto3(bucket, await makeKeyFile(t), 'a', 'hello');
  await refuses(
    t,
    { bucket, keyFile },
    /does not decrypt the objects in bucket .*: they were written with another key/,
  );
  await refuses(
    t,
    { bucket, keyFile },
    new RegExp(`fingerprint ${keyFile.fingerprint.replace(/[+]/g, '\\+')}\\)`),
  );
});

cephTest('a bucket that does not exist is refused', async (t) => {
  await refuses(t, { bucket: 'osirisfs-test-none' }, /there is no bucket "osirisfs-test-none" at /);
});

cephTest('credentials that are missing, unknown or wrong are told apart', async (t) => {
  const bucket = await makeBucket(t);
  const none = {
    AWS_ACCESS_KEY_ID: undefined,
    AWS_SECRET_ACCESS_KEY: undefined,
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  await refuses(t, { bucket, env: none }, /no S3 credentials found: neither AWS_ACCESS_KEY_ID/);
  await refuses(t, { bucket, env: { AWS_ACCESS_KEY_ID: 'nobody' } }, /does not know the access key/);
  await refuses(
    t,
    { bucket, env: { AWS_SECRET_ACCESS_KEY: 'geheim' } },
    /the secret key does not belong to the access key/,
  );
  await refuses(t, { bucket, options: ['--profile', 'nobody'] }, /the profile "nobody" is neither in/);
});

cephTest('credentials that may not list the bucket are refused', async (t) => {
  const bucket = await makeBucket(t);
  const policy = {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Deny', Principal: '*', Action: 's3:ListBucket', Resource: [`arn:aws:s3:::${bucket}`] },
    ],
  };
  await withBoto3(`s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(given['policy']))`, {
    bucket,
    policy,
  });
  t.teardown(async () => {
    await withBoto3('s3.delete_bucket_policy(Bucket=bucket)', { bucket });
  });
  await refuses(t, { bucket }, /access to bucket .* is denied: these credentials may not list or read it/);
});

cephTest('an endpoint whose name does not resolve or that refuses connections is named', async (t) => {
  await refuses(
    t,
    { bucket: 'bucket', options: ['--endpoint', 'https://does-not-exist.invalid'] },
    /does-not-exist\.invalid (does not resolve|cannot be resolved now)/,
  );
  await refuses(
    t,
    { bucket: 'bucket', options: ['--endpoint', 'https://127.0.0.1:1'] },
    /127\.0\.0\.1:1 refuses connections/,
  );
});

cephTest('an endpoint that accepts connections and never answers is given up', async (t) => {
  const host = await listen(t, '');
  const options = ['--endpoint', `https://${host}`, '--connect-timeout', '1s', '--request-timeout', '1s'];
  await refuses(t, { bucket: 'bucket', options }, /127\.0\.0\.1:\d+ does not answer: check --endpoint/);
});

cephTest('plain http is refused on either side', async (t) => {
  const host = await listen(t, 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  await refuses(
    t,
    { bucket: 'bucket', options: ['--endpoint', `https://${host}`] },
    /does not speak TLS: is it plain http/,
  );
  await refuses(
    t,
    { bucket: 'bucket', options: ['--endpoint', `http://${host}`] },
    /is plain http: use https/,
  );
  await refuses(
    t,
    { bucket: 'bucket', options: ['--endpoint', 'http://rgw.example.org', '--allow-plain-http'] },
    /is plain http, which would send the customer key in the clear/,
  );
});

cephTest('a certificate that is not trusted is refused, with the option that helps', async (t) => {
  const bucket = await makeBucket(t);
  const env = { AWS_CA_BUNDLE: undefined, NODE_EXTRA_CA_CERTS: undefined };
  await refuses(
    t,
    { bucket, env },
    /the certificate of .* is not trusted .*: name the authority .* --ca-bundle/,
  );
  await refuses(
    t,
    { bucket, env, options: ['--ca-bundle', '/proc/nowhere'] },
    /the CA bundle \/proc\/nowhere cannot be read/,
  );
  await refuses(
    t,
    { bucket, env, options: ['--ca-bundle', 'package.json'] },
    /holds no certificate in PEM form/,
  );
});
