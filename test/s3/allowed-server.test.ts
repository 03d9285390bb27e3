import http from 'node:http';
import https from 'node:https';
import type { LookupAddress } from 'node:dns';
import test, { type ExecutionContext } from 'ava';
import { StoreError } from '../../src/errors.js';
import {
  type AllowedServers,
  type Destination,
  lookUpLoopback,
  requireAllowedServer,
} from '../../src/s3/allowed-server.js';
import { ReusedConnections } from '../../src/http/reused-connections.js';
import { listBuckets } from '../../src/s3/account.js';
import { PatientHttpHandler, type PatientHttpHandlerOptions } from '../../src/s3/patient-http-handler.js';
import { makeS3Client } from '../../src/s3/s3-client.js';
import { never, startFakeServer } from './fake-server.js';

const aws: AllowedServers = { kind: 'aws' };
const only = (url: string): AllowedServers => ({ kind: 'endpoint', endpoint: new URL(url) });

function destination(url: string): Destination {
  const { protocol, hostname, port } = new URL(url);
  return { protocol, hostname, ...(port !== '' && { port: Number(port) }) };
}

function allows(t: ExecutionContext, url: string, allowed: AllowedServers): void {
  t.notThrows(() => requireAllowedServer(destination(url), allowed), url);
}

function refuses(t: ExecutionContext, url: string, allowed: AllowedServers, message: RegExp): void {
  const error = t.throws(() => requireAllowedServer(destination(url), allowed), { instanceOf: StoreError });
  t.is(error.code, 'ServerRefused', url);
  t.regex(error.message, message, url);
  t.true(error.message.includes(new URL(url).hostname), url);
}

test('with a configured endpoint, requests go to its scheme, host and port, and nowhere else', (t) => {
  const allowed = only('https://s3.example.org');
  allows(t, 'https://s3.example.org/bucket/key', allowed);
  allows(t, 'https://S3.EXAMPLE.ORG:443/', allowed);
  const another = /^nothing is sent to \S+: the configured server is https:\/\/s3\.example\.org$/;
  for (const url of [
    'https://s3.example.org:8443',
    'https://bucket.s3.example.org',
    'https://example.org',
    'https://s3.example.org.evil.example',
    'https://bucket.s3.us-east-1.amazonaws.com',
    'https://127.0.0.1',
  ]) {
    refuses(t, url, allowed, another);
  }
  refuses(t, 'http://s3.example.org', allowed, /: it is not https$/);
  refuses(t, 'http://127.0.0.1', allowed, /: it is not https$/);
  allows(t, 'https://[::1]:8443', only('https://[::1]:8443'));
  t.notThrows(() =>
    requireAllowedServer({ protocol: 'https:', hostname: '::1', port: 8443 }, only('https://[::1]:8443')),
  );
});

test('plain http goes to this machine only, where the endpoint says so', (t) => {
  allows(t, 'http://127.0.0.1:8080', only('http://127.0.0.1:8080'));
  allows(t, 'http://[::1]:8080', only('http://[::1]:8080'));
  refuses(t, 'http://127.0.0.1:8081', only('http://127.0.0.1:8080'), /the configured server is/);
  // Whoever made the endpoint without the check of it.
  refuses(t, 'http://10.0.0.1', only('http://10.0.0.1'), /it is not https/);
  refuses(t, 'ftp://127.0.0.1', only('http://127.0.0.1'), /it is not https/);
});

test('without an endpoint, requests go to the S3 servers of AWS, in every region and partition', (t) => {
  const client = makeS3Client({
    endpoint: undefined,
    region: 'us-east-1',
    credentials: { accessKeyId: 'ACCESS', secretAccessKey: 'hushhush' },
    requestHandler: new PatientHttpHandler(httpOptions(aws)),
  });
  t.teardown(() => client.destroy());
  const regions = ['us-east-1', 'eu-west-3', 'mx-central-1', 'cn-north-1', 'us-gov-west-1', 'us-iso-east-1'];
  regions.push('us-isob-east-1', 'eu-isoe-west-1', 'us-isof-south-1', 'eusc-de-east-1', 'aws-global');
  const buckets = [undefined, 'my-bucket', 'my.dotted.bucket', 'zonal--use1-az4--x-s3'];
  const hosts = new Set<string>();
  for (const Region of regions) {
    for (const [UseDualStack, UseFIPS] of [
      [false, false],
      [true, false],
      [false, true],
    ] as const) {
      for (const Bucket of buckets) {
        let url: URL;
        try {
          ({ url } = client.config.endpointProvider({
            ...{ Region, UseDualStack, UseFIPS },
            ...(Bucket !== undefined && { Bucket }),
          }));
        } catch {
          continue; // there is no such server
        }
        if (url.hostname.includes('aws-global')) continue; // no region
        hosts.add(url.hostname);
        allows(t, url.href, aws);
      }
    }
  }
  t.true(hosts.size > 60, `${hosts.size}`);
});

test('without an endpoint, nothing goes to other servers, those of AWS’s other services included', (t) => {
  for (const url of [
    'https://minio.lan:9000',
    'https://127.0.0.1',
    'https://sts.us-east-1.amazonaws.com',
    'https://abc.execute-api.us-east-1.amazonaws.com',
    'https://s3-like-123.us-east-1.elb.amazonaws.com',
    'https://s3.us-east-1.amazonaws.com.evil.example',
    'https://s3.us-east-1.amazonaws.com:8443',
    'https://s3.evil.amazonaws.com',
    'https://amazonaws.com',
    'https://s3.example.org',
    'https://evils3.us-east-1.amazonaws.com',
  ]) {
    refuses(
      t,
      url,
      aws,
      /: no server is configured, so it should be AWS, and this is none of its S3 servers$/,
    );
  }
  refuses(t, 'http://s3.us-east-1.amazonaws.com', aws, /: it is not https$/);
});

test('credentials are asked for over https, or from this machine where plain http is allowed', (t) => {
  const strict: AllowedServers = { kind: 'credentials', allowPlainHttp: false };
  const lenient: AllowedServers = { kind: 'credentials', allowPlainHttp: true };
  for (const allowed of [strict, lenient]) {
    allows(t, 'https://sts.us-east-1.amazonaws.com', allowed);
    allows(t, 'https://rgw.example.org', allowed);
    refuses(t, 'http://sts.us-east-1.amazonaws.com', allowed, /it is not https/);
  }
  refuses(t, 'http://127.0.0.1:8080', strict, /it is not https/);
  allows(t, 'http://127.0.0.1:8080', lenient);
});

/** For requests that may go to `allowedServers`. */
function httpOptions(allowedServers: AllowedServers): PatientHttpHandlerOptions {
  return {
    allowedServers,
    httpAgent: new http.Agent(),
    httpsAgent: new https.Agent(),
    connectTimeoutMs: 5_000,
    idleTimeoutMs: 5_000,
    workTimeoutMs: 5_000,
    reused: new ReusedConnections(),
  };
}

test('the SDK sends nothing to a server that is not allowed', async (t) => {
  const { endpoint, received } = await startFakeServer(t, (_, response) => response.end());
  for (const allowed of [aws, only('https://s3.example.org'), only('http://127.0.0.1:1')]) {
    const client = makeS3Client({
      endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'ACCESS', secretAccessKey: 'hushhush' },
      requestHandler: new PatientHttpHandler(httpOptions(allowed)),
    });
    t.teardown(() => client.destroy());
    const error = await t.throwsAsync(listBuckets(client, never), { instanceOf: StoreError });
    t.is(error.code, 'ServerRefused');
    t.true(error.message.startsWith(`nothing is sent to ${endpoint.origin}: `), error.message);
  }
  t.deepEqual(received, []);
});

test('the SDK finds no server by itself', async (t) => {
  const { endpoint, received } = await startFakeServer(t, (_, response) => response.end());
  process.env['AWS_ENDPOINT_URL'] = endpoint.href;
  t.teardown(() => {
    delete process.env['AWS_ENDPOINT_URL'];
  });
  const client = makeS3Client({
    endpoint: undefined,
    region: 'us-east-1',
    credentials: { accessKeyId: 'ACCESS', secretAccessKey: 'hushhush' },
    // Lets the one server pass, so that only the SDK's choice counts.
    requestHandler: new PatientHttpHandler(httpOptions({ kind: 'endpoint', endpoint })),
  });
  t.teardown(() => client.destroy());
  const error = await t.throwsAsync(listBuckets(client, never), { instanceOf: StoreError });
  t.regex(error.message, /^nothing is sent to https:\/\/s3\.us-east-1\.amazonaws\.com:443: /);
  t.deepEqual(received, []);
});

test('for plain http, a name counts as this machine by its addresses', async (t) => {
  const lookUp = (name: string, all: boolean) =>
    new Promise<string | LookupAddress[]>((resolve, reject) => {
      lookUpLoopback(name, { all }, (error, address) => {
        if (error) reject(error);
        else resolve(address);
      });
    });
  // An address is looked up without asking anybody, and found to be itself.
  t.is(await lookUp('127.0.0.5', false), '127.0.0.5');
  t.deepEqual(await lookUp('::1', true), [{ address: '::1', family: 6 }]);
  for (const foreign of ['192.0.2.1', '2001:db8::1']) {
    const error = await t.throwsAsync(lookUp(foreign, true), { instanceOf: StoreError });
    t.is(error.code, 'ServerRefused');
    t.regex(error.message, /plain http, and the name is at \S+, which is not this machine$/);
  }
});
