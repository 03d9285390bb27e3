/** What setup asks of a server about each answer. Every failure is a StoreError whose message is for the user. */
import { CustomerKey, customerKeyBytes } from '../../keys/customer-key.js';
import { StoreError } from '../../errors.js';
import { KeyRing } from '../../keys/key-ring.js';
import { silentLog } from '../../log.js';
import { hasBucket, listBuckets } from '../../s3/account.js';
import { connect, type S3Connection } from '../../s3/connect.js';
import { makeBucket } from '../../s3/create-bucket.js';
import { serverCodeOf } from '../../s3/error-codes.js';
import { explainBucketFailure } from '../../s3/explain-bucket-failure.js';
import { checkStore } from '../../s3/open-store.js';

export interface Server {
  readonly endpoint: string;
  readonly region: string | undefined;
  readonly caBundle: string | undefined;
}

export interface AccessKeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const connectTimeoutMs = 5_000;
const requestTimeoutMs = 30_000;
const maxConnections = 4;

/** An access key of nobody: an S3 server refuses it in its own words. */
const strangerCredentials: AccessKeyPair = {
  accessKeyId: 'osirisfs-setup',
  secretAccessKey: 'osirisfs-setup',
};
const noCustomerKey = new CustomerKey(Buffer.alloc(customerKeyBytes));

/** Resolves if an S3 server answers there, over TLS that can be trusted. */
export async function checkServer(server: Server): Promise<void> {
  await explained(server, strangerCredentials, '', async (client) => {
    try {
      await listBuckets(client, neverAborted());
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'AccessDenied') throw error;
    }
  });
}

/** The buckets of the credentials' owner; undefined if the credentials are right but may not list buckets. */
export async function checkCredentials(
  server: Server,
  credentials: AccessKeyPair,
): Promise<readonly string[] | undefined> {
  return await explained(server, credentials, '', async (client) => {
    try {
      return (await listBuckets(client, neverAborted())).map(({ name }) => name);
    } catch (error) {
      if (error instanceof StoreError && serverCodeOf(error) === 'AccessDenied') return undefined;
      throw error;
    }
  });
}

/** Whether there is one. */
export function findBucket(server: Server, credentials: AccessKeyPair, bucket: string): Promise<boolean> {
  return explained(server, credentials, bucket, (client) => hasBucket(client, bucket, neverAborted()));
}

/** As `makeBucket` of s3. */
export async function makeBucketAt(
  server: Server,
  credentials: AccessKeyPair,
  bucket: string,
  location: string,
): Promise<{ readonly isPlaced: boolean }> {
  return await explained(server, credentials, bucket, (client) =>
    makeBucket(client, bucket, location, neverAborted()),
  );
}

/** Resolves if the key decrypts what is in the bucket, as far as a few objects tell. */
export async function checkCustomerKey(
  server: Server,
  credentials: AccessKeyPair,
  bucket: string,
  customerKey: CustomerKey,
): Promise<{ readonly encrypted: number; readonly plaintext: number; readonly otherKey: number }> {
  const keyRing = new KeyRing(customerKey);
  const options = { bucket, keyRing, prefix: '', plaintext: 'read', log: silentLog } as const;
  return await withConnection(server, credentials, (connection) =>
    checkStore({ ...options, connection, maxConcurrentRequests: maxConnections }, neverAborted()),
  );
}

async function withConnection<T>(
  { endpoint, region, caBundle }: Server,
  credentials: AccessKeyPair,
  action: (connection: S3Connection) => Promise<T>,
): Promise<T> {
  const connection = await connect({
    endpoint,
    ...(region === undefined ? {} : { region }),
    ...(caBundle === undefined ? {} : { caBundle }),
    credentials,
    allowPlainHttp: false,
    requestTimeoutMs,
    connectTimeoutMs,
    maxSockets: maxConnections,
    log: silentLog,
  });
  try {
    return await action(connection);
  } finally {
    connection.close();
  }
}

/** `action` with the server's refusals in words for the user. */
async function explained<T>(
  server: Server,
  credentials: AccessKeyPair,
  bucket: string,
  action: (client: S3Connection['client']) => Promise<T>,
): Promise<T> {
  return await withConnection(server, credentials, async ({ client, endpoint }) => {
    try {
      return await action(client);
    } catch (error) {
      if (!(error instanceof StoreError) || error.cause === undefined) throw error;
      throw explainBucketFailure(error, { bucket, endpoint, keyRing: new KeyRing(noCustomerKey) });
    }
  });
}

function neverAborted(): AbortSignal {
  return new AbortController().signal;
}
