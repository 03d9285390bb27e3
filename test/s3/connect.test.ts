import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import type { ConnectOptions } from '../../src/s3/connect.js';
import { initiated } from './fake-replies.js';
import {
  type Answer,
  answerXml,
  encryptedHeaders,
  makeCertificate,
  objectHeaders,
  type Received,
  refuse,
  startFakeServer,
  temporaryDirectory,
} from './fake-server.js';

interface Outcome {
  readonly error?: { readonly name: string; readonly code: string; readonly message: string };
  readonly endpoint?: string;
  readonly region?: string;
  readonly listed?: boolean;
  readonly stderr: string;
}

/** Runs in the child: connects, lists a bucket if told to, prints what came of it. */
const script = `
const [connectUrl, storeUrl, keyUrl, optionsText, bucket] = process.argv.slice(1);
const { connect } = await import(connectUrl);
const quiet = () => undefined;
const log = { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet };
const outcome = {};
try {
  const connection = await connect({ allowPlainHttp: false, requestTimeoutMs: 5000, connectTimeoutMs: 2000, maxSockets: 4, log, ...JSON.parse(optionsText) });
  outcome.endpoint = connection.endpoint?.href;
  outcome.region = connection.region;
  if (bucket) {
    const { S3ObjectStore } = await import(storeUrl);
    const { CustomerKey } = await import(keyUrl);
    const store = new S3ObjectStore({ access: connection, endpoint: connection.endpoint, bucket, customerKey: new CustomerKey(Buffer.alloc(32)), plaintext: 'read', log });
    const rest = { headers: { metadata: {} }, condition: {} };
    await store.put({ key: 'k', body: [Buffer.from('body')], ...rest }, new AbortController().signal);
    await store.list({ prefix: '' }, new AbortController().signal);
    outcome.listed = true;
    const body = [Buffer.alloc(100000), Buffer.alloc(1)];
    await store.put({ key: 'denied', body, headers: { metadata: {} }, condition: {} }, new AbortController().signal);
  }
  connection.close();
} catch ({ name, code, message }) {
  outcome.error = { name, code, message };
}
console.log(JSON.stringify(outcome));
`;

const modules = ['s3/connect.js', 's3/s3-object-store.js', 'keys/customer-key.js'].map(
  (file) => new URL(`../../src/${file}`, import.meta.url).href,
);

/** In a process of its own, with no environment but what is given, and no files of AWS but what `files` has. */
async function connectInChild(
  t: ExecutionContext,
  environment: Record<string, string>,
  options: Partial<ConnectOptions> = {},
  files: Record<string, string> = {},
  bucket = '',
): Promise<Outcome> {
  const directory = await temporaryDirectory(t);
  for (const [name, content] of Object.entries(files)) await writeFile(path.join(directory, name), content);
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '-e', script, ...modules, JSON.stringify(options), bucket],
    {
      timeout: 60_000,
      env: {
        PATH: process.env['PATH'],
        HOME: directory,
        AWS_CONFIG_FILE: path.join(directory, 'config'),
        AWS_SHARED_CREDENTIALS_FILE: path.join(directory, 'credentials'),
        AWS_EC2_METADATA_DISABLED: 'true',
        ...environment,
      },
    },
  );
  return { ...(JSON.parse(stdout) as Omit<Outcome, 'stderr'>), stderr };
}

const answerAll: Answer = (request, response) => {
  if (request.url.includes('denied')) refuse(response, 403, 'AccessDenied');
  else if (request.method === 'POST') answerXml(response, initiated, encryptedLike(request));
  else {
    const headers = { ...objectHeaders('e'), ...encryptedLike(request) };
    answerXml(response, '<ListBucketResult><Name>b</Name></ListBucketResult>', headers);
  }
};

/** The reply headers of an object under the key of the request. */
function encryptedLike({ headers }: Received): Record<string, string> {
  const name = 'x-amz-server-side-encryption-customer-key-md5';
  return { ...encryptedHeaders, [name]: String(headers[name]) };
}

const credentials = { AWS_ACCESS_KEY_ID: 'ACCESS', AWS_SECRET_ACCESS_KEY: 'hushhush' };

test('a bucket is written and listed over TLS, signed, and nothing is printed', async (t) => {
  const certificate = await makeCertificate(t);
  const { endpoint, received } = await startFakeServer(t, answerAll, certificate);
  const environment = {
    ...credentials,
    AWS_ENDPOINT_URL: endpoint.href,
    AWS_CA_BUNDLE: certificate.authorityPath,
  };
  const outcome = await connectInChild(t, environment, {}, {}, 'photos');
  t.like(outcome, { endpoint: endpoint.href, region: 'us-east-1', listed: true, stderr: '' });
  t.is(outcome.error?.code, 'AccessDenied'); // of the body that was sent as a stream
  const [put, list] = received.filter(({ method }) => method === 'PUT' || method === 'GET');
  t.regex(put!.url, /^\/photos\/k(\?|$)/);
  t.is(put!.headers['x-amz-content-sha256'], 'UNSIGNED-PAYLOAD');
  t.regex(list!.url, /^\/photos\/?\?/);
  t.regex(String(list!.headers.authorization), /^AWS4-HMAC-SHA256 Credential=ACCESS\/\d{8}\/us-east-1\/s3\//);
});

test('without its authority the same server is not trusted', async (t) => {
  const certificate = await makeCertificate(t);
  const { endpoint, received } = await startFakeServer(t, (_, response) => response.end(), certificate);
  const outcome = await connectInChild(
    t,
    { ...credentials, AWS_ENDPOINT_URL: endpoint.href },
    {},
    {},
    'photos',
  );
  t.is(outcome.error?.code, 'CertificateRejected');
  t.is(received.length, 0);
});

test('NODE_EXTRA_CA_CERTS is trusted, with and without a bundle beside it', async (t) => {
  const certificate = await makeCertificate(t);
  const other = await makeCertificate(t);
  const { endpoint } = await startFakeServer(t, answerAll, certificate);
  const environment = {
    ...credentials,
    AWS_ENDPOINT_URL: endpoint.href,
    NODE_EXTRA_CA_CERTS: certificate.authorityPath,
  };
  for (const options of [{}, { caBundle: other.authorityPath }])
    t.true((await connectInChild(t, environment, options, {}, 'photos')).listed);
});

test('credentials that are nowhere are missed by naming where they are looked for', async (t) => {
  const { error, stderr } = await connectInChild(t, { AWS_ENDPOINT_URL: 'https://s3.example.org' });
  t.is(error?.code, 'AccessDenied');
  t.regex(
    error?.message ?? '',
    /^no S3 credentials found: .*AWS_ACCESS_KEY_ID.* the profile "default" in ~\/\.aws\/credentials/,
  );
  t.is(stderr, '');
});

test("an option comes before the environment, and a profile's settings are used", async (t) => {
  const files = {
    config: '[profile osiris]\nregion = here\nendpoint_url = https://profile.example.org\n',
    credentials: '[osiris]\naws_access_key_id = A\naws_secret_access_key = hushhush\n',
  };
  t.like(await connectInChild(t, {}, { profile: 'osiris' }, files), {
    endpoint: 'https://profile.example.org/',
    region: 'here',
  });
  const environment = {
    AWS_PROFILE: 'osiris',
    AWS_ENDPOINT_URL: 'https://env.example.org',
    AWS_REGION: 'there',
  };
  const options = { endpoint: 'https://option.example.org', region: 'everywhere' };
  t.like(await connectInChild(t, environment, options, files), {
    endpoint: 'https://option.example.org/',
    region: 'everywhere',
  });
  // Both kinds of credentials at once make the SDK warn on the console, if it is let.
  t.is((await connectInChild(t, { ...environment, ...credentials }, {}, files)).stderr, '');
});

test('plain http, a missing profile and a bad bundle are refused before anything is sent', async (t) => {
  const plain = await connectInChild(
    t,
    { ...credentials, AWS_ENDPOINT_URL: 'http://s3.example.org' },
    { allowPlainHttp: true },
  );
  t.is(plain.error?.code, 'InvalidRequest');
  const profile = await connectInChild(t, credentials, { profile: 'missing' });
  t.regex(profile.error?.message ?? '', /^the profile "missing" is neither/);
  const bundle = await connectInChild(t, { ...credentials, AWS_CA_BUNDLE: '/proc/nowhere' });
  t.is(bundle.error?.code, 'CertificateRejected');
});

test('without an endpoint the server is AWS', async (t) => {
  const outcome = await connectInChild(t, credentials);
  t.deepEqual(outcome, { region: 'us-east-1', stderr: '' });
});
