/** Checks that server, credentials, bucket and customer key do what a mount needs. */
import { lookup } from 'node:dns/promises';
import { request as httpsRequest } from 'node:https';
import { TLSSocket } from 'node:tls';
import type { CustomerKey } from '../../keys/customer-key.js';
import { StoreError } from '../../errors.js';
import { checkedTls, loadCertificateAuthorities } from '../../http/certificate-authorities.js';
import type { KeyRing } from '../../keys/key-ring.js';
import { readKeyRing } from '../../keys/customer-key-file.js';
import type { Log } from '../../log.js';
import { needsEncryptionHeader } from '../../policy/needs-encryption-header.js';
import { readAwsSettings } from '../../s3/aws-settings.js';
import { BucketAdministration, type ProbeEncryption } from '../../s3/bucket-administration.js';
import { connect, type ConnectOptions, type S3Connection } from '../../s3/connect.js';
import { parseEndpoint } from '../../s3/endpoint.js';
import { checkStore } from '../../s3/open-store.js';
import { firstAnswerRetry, RetryPolicy } from '../../s3/retry-policy.js';
import { failed, notChecked, ok, warning, type Check, type Finding } from './checks.js';

interface ServerOptions {
  readonly connection: ConnectOptions;
  readonly bucket: string | undefined;
  readonly prefix: string;
  readonly keyFiles: readonly string[] | undefined;
  /** Whether small objects may be stored, to see what the server can do. */
  readonly mayWrite: boolean;
  readonly log: Log;
  readonly now: () => Date;
}

/** A certificate that ends sooner deserves a warning. */
const soonDays = 14;
const dayMs = 86_400_000;
/** Signatures are refused after 15 minutes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const maxSkewSeconds = 900;
const warnSkewSeconds = 60;

/** Checks that need a bucket are left out if none is named. Call `close` when all have run. */
export function serverChecks(options: ServerOptions): { checks: Check[]; close: () => void } {
  const { bucket, prefix, keyFiles, log } = options;
  const state: {
    /** The headers that a PUT needs. */
    encryption: ProbeEncryption;
    endpoint?: URL;
    date?: Date;
    connection?: S3Connection;
    keyRing?: KeyRing;
  } = { encryption: 'customer key' };
  const connected = (): S3Connection => required(state.connection);
  const administration = (name: string) =>
    new BucketAdministration({ access: connected(), bucket: name, log });

  const checks: Check[] = [
    {
      name: 'endpoint',
      needs: [],
      run: async () => {
        const { endpoint, allowPlainHttp, profile } = options.connection;
        const text = endpoint ?? (await readAwsSettings(profile, process.env)).endpoint;
        state.endpoint = text === undefined ? awsEndpoint : parseEndpoint(text, allowPlainHttp);
        return ok(text === undefined ? 'AWS, as no other is configured' : state.endpoint.href);
      },
    },
    {
      name: 'DNS',
      needs: ['endpoint'],
      run: async () => {
        const host = required(state.endpoint).hostname.replace(/^\[|\]$/g, '');
        try {
          const addresses = await lookup(host, { all: true });
          return ok(`${host} is ${addresses.map(({ address }) => address).join(', ')}`);
        } catch (error) {
          return failed(`${host} does not resolve (${codeOf(error)}): check --endpoint and the network`);
        }
      },
    },
    {
      name: 'TLS',
      needs: ['DNS'],
      run: async (signal) => {
        const endpoint = required(state.endpoint);
        if (endpoint.protocol === 'http:') return warning('plain http: the server will refuse customer keys');
        return await checkCertificate(endpoint, options, signal, (date) => (state.date = date));
      },
    },
    {
      name: 'clock',
      needs: ['TLS'],
      run: () => Promise.resolve(checkClock(state.date, options.now())),
    },
    {
      name: 'credentials',
      needs: [],
      run: async () => {
        state.connection = await connect(options.connection);
        return ok(`found; signing for region ${state.connection.region}`);
      },
    },
    {
      name: 'key file',
      needs: [],
      run: async () => {
        if (keyFiles === undefined) return notChecked('no --key-file is given');
        state.keyRing = await readKeyRing(keyFiles);
        return ok(`${keyFiles.join(', ')} holds the key ${state.keyRing.describe()}, for its owner only`);
      },
    },
  ];
  if (bucket === undefined) return { checks, close: () => state.connection?.close() };

  checks.push(
    {
      name: 'bucket',
      needs: ['TLS', 'credentials'],
      run: async (signal) => {
        // Listing needs no customer key; the next check is about it.
        const uploads = await administration(bucket).listUploads(signal);
        const aDayAgo = options.now().getTime() - dayMs;
        const old = uploads.filter(({ begun }) => begun !== undefined && begun.getTime() < aDayAgo);
        if (old.length === 0) return ok(`${bucket} can be listed; ${uploads.length} uploads are unfinished`);
        return warning(
          `${bucket} can be listed, but has ${old.length} unfinished uploads older than a day, which take space: abort them (aws s3api abort-multipart-upload) or set a lifecycle rule`,
        );
      },
    },
    {
      name: 'customer key',
      needs: ['bucket', 'key file'],
      run: async (signal) => {
        const keyRing = required(state.keyRing);
        const found = await checkStore(
          { connection: connected(), bucket, keyRing, prefix, plaintext: 'read', log },
          signal,
        );
        const text = `of ${found.sampled} objects looked at, the key fits ${found.encrypted}; ${found.plaintext} are plain, ${found.otherKey} under another key`;
        return found.plaintext + found.otherKey > 0 ? warning(text) : ok(text);
      },
    },
    ...writeChecks(options.mayWrite, bucket, {
      probes: () => ({
        administration: administration(bucket),
        customerKey: required(state.keyRing).first,
        encryption: state.encryption,
      }),
      // As a mount does.
      chooseEncryption: async (signal) => {
        const retry = new RetryPolicy({ ...firstAnswerRetry, log });
        const needsHeader = await needsEncryptionHeader(
          { connection: connected(), bucket, retry, log },
          signal,
        );
        state.encryption = needsHeader ? 'customer key and header' : 'customer key';
        return state.encryption;
      },
    }),
  );
  return { checks, close: () => state.connection?.close() };
}

const awsEndpoint = new URL('https://s3.amazonaws.com');

/** One request that needs no permission: its reply has the certificate and the server's time. */
async function checkCertificate(
  endpoint: URL,
  { connection, now }: ServerOptions,
  signal: AbortSignal,
  onDate: (date: Date) => void,
): Promise<Finding> {
  const bundle = connection.caBundle ?? (await readAwsSettings(connection.profile, process.env)).caBundle;
  const authorities = await loadCertificateAuthorities(bundle, process.env['NODE_EXTRA_CA_CERTS']);
  try {
    const validTo = await new Promise<Date>((resolve, reject) => {
      const request = httpsRequest(
        endpoint,
        {
          method: 'HEAD',
          agent: false,
          signal,
          timeout: connection.connectTimeoutMs,
          ...checkedTls,
          ...(authorities && { ca: [...authorities] }),
        },
        (response) => {
          const { date } = response.headers;
          if (date !== undefined) onDate(new Date(date));
          const { socket } = response;
          if (socket instanceof TLSSocket) resolve(new Date(socket.getPeerCertificate().valid_to));
          else reject(new Error('no TLS'));
          response.destroy();
        },
      );
      request.on('timeout', () =>
        request.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })),
      );
      request.on('error', reject);
      request.end();
    });
    const days = Math.floor((validTo.getTime() - now().getTime()) / dayMs);
    const text = `the certificate is trusted, until ${validTo.toISOString().slice(0, 10)}`;
    return days < soonDays ? warning(`${text}, in ${days} days: ask for its renewal`) : ok(text);
  } catch (error) {
    return failed(
      `${endpoint.host}: ${codeOf(error)}; if the certificate is not trusted, name the authority that signed it by --ca-bundle, else check --endpoint and the network`,
    );
  }
}

function checkClock(date: Date | undefined, now: Date): Finding {
  if (date === undefined) return notChecked('the server does not tell its time');
  const seconds = Math.round((now.getTime() - date.getTime()) / 1000);
  const text = `this machine is ${Math.abs(seconds)} s ${seconds < 0 ? 'behind' : 'ahead of'} the server`;
  if (Math.abs(seconds) >= maxSkewSeconds) return failed(`${text}, so signatures are refused: set the clock`);
  return Math.abs(seconds) >= warnSkewSeconds ? warning(`${text}: set the clock`) : ok(text);
}

interface Probes {
  readonly administration: BucketAdministration;
  readonly customerKey: CustomerKey;
  readonly encryption: ProbeEncryption;
}

interface WriteTools {
  readonly probes: () => Probes;
  /** Settles what `probes` has for `encryption`. */
  readonly chooseEncryption: (signal: AbortSignal) => Promise<ProbeEncryption>;
}

function writeChecks(mayWrite: boolean, bucket: string, { probes, chooseEncryption }: WriteTools): Check[] {
  const attempt = (
    name: string,
    needs: readonly string[],
    can: string,
    cannot: string,
    isPossible: (signal: AbortSignal) => Promise<boolean | Finding>,
  ): Check => ({
    name,
    needs,
    run: async (signal) => {
      if (!mayWrite) return onlyWithWrite;
      try {
        const found = await isPossible(signal);
        return typeof found === 'object' ? found : found ? ok(can) : warning(cannot);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        // Under a policy that demands the header, Ceph 16 denies all multipart uploads and copies.
        const isDenied = error.code === 'AccessDenied' && probes().encryption !== 'customer key';
        if (isDenied)
          return warning(`denied under the policy of ${bucket}: one PUT does instead, up to 5 GiB`);
        if (error.code !== 'NotImplemented') throw error;
        return warning(cannot);
      }
    },
  });
  return [
    {
      name: 'writing',
      needs: ['customer key'],
      run: async (signal) => {
        if (!mayWrite) return onlyWithWrite;
        const encryption = await chooseEncryption(signal);
        const { administration, customerKey } = probes();
        await administration.withProbe(customerKey, encryption, signal, () => Promise.resolve());
        const isForced = encryption === 'customer key and header';
        const how = isForced ? ', with the header that its policy demands' : '';
        return ok(`${bucket} takes encrypted objects${how}`);
      },
    },
    attempt(
      'multipart',
      ['writing'],
      'large files can be stored in parts',
      'files that do not go in one PUT cannot be stored: the server lets no multipart uploads be made',
      async (signal) => {
        const { administration, customerKey, encryption } = probes();
        await administration.beginUpload(customerKey, encryption, signal);
        return true;
      },
    ),
    attempt(
      'If-Match',
      ['writing'],
      'a PUT is refused if the object was changed meanwhile',
      'the server ignores conditions on PUT: of two who write one file at once, the last wins',
      (signal) => judgesConditions(bucket, probes(), signal),
    ),
    attempt(
      'CopyObject',
      ['writing'],
      'encrypted objects can be copied in one request',
      'the server does not copy encrypted objects in one request: renames go by parts, which is slower',
      async (signal) => {
        const { administration, customerKey, encryption } = probes();
        await administration.copyEncrypted(customerKey, encryption, signal);
        return true;
      },
    ),
  ];
}

/** False: the server ignores conditions. A finding: it judges them wrongly, as far as can be known. */
async function judgesConditions(
  bucket: string,
  { administration, customerKey, encryption }: Probes,
  signal: AbortSignal,
): Promise<boolean | Finding> {
  const judged = await administration.judgeConditions(customerKey, encryption, signal);
  if (judged === 'ignored') return false;
  const versioning = await administration.getVersioning(signal).catch((error: unknown) => {
    if (error instanceof StoreError && error.code !== 'Aborted') return undefined; // asking may be forbidden
    throw error;
  });
  // While versioning is suspended only objects with former versions, or deleted ones, are judged wrongly.
  if (judged === 'right' && versioning !== 'Suspended') return true;
  const reason = versioning === undefined ? '' : `, as ${bucket} does (${versioning})`;
  return warning(
    `the server refuses conditions that hold, as Ceph does where a bucket keeps versions${reason}: the state of an object is asked for right before each write instead, and of two who write one file within the same milliseconds, the last wins`,
  );
}

const onlyWithWrite = notChecked('that takes --write, which stores and deletes objects below .osirisfs/');

/** The result of an earlier check, one of `needs`. */
function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a check ran before the one that it needs');
  return value;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
