/** A bucket on a gateway in this process, several customer keys with their files, and the commands that work on it. */
import { randomBytes } from 'node:crypto';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { CustomerKey } from '../../src/keys/customer-key.js';
import type { FlavorName } from '../../src/gateway/flavor.js';
import type { GatewayOptions, RunningGateway } from '../../src/gateway/gateway.js';
import { joinPieces, type Metadata, type ObjectInfo } from '../../src/object-store.js';
import type { S3Connection } from '../../src/s3/connect.js';
import { S3ObjectStore } from '../../src/s3/s3-object-store.js';
import { connectToGateway, runGateway, silentLog } from '../gateway/running-gateway.js';
import { run, start, type Finished, type RunningChild } from '../mount/child.js';
import { makeKeyFile, nowhere, type KeyFile, type Scope } from '../mount/temporary.js';
import { projectRoot } from '../mount/user.js';
import { whole } from '../object-store/whole.js';

export const never = new AbortController().signal;

export interface TestKey extends KeyFile {
  readonly customerKey: CustomerKey;
}

export class KeyedBucket {
  readonly gateway: RunningGateway & { readonly directory: string };
  readonly connection: S3Connection;
  readonly bucket: string;

  private constructor(
    gateway: RunningGateway & { readonly directory: string },
    connection: S3Connection,
    bucket: string,
  ) {
    this.gateway = gateway;
    this.connection = connection;
    this.bucket = bucket;
  }

  /** A gateway of its own. */
  static async make(
    scope: Scope,
    flavor: FlavorName = 'rgw',
    options: Partial<GatewayOptions> = {},
  ): Promise<KeyedBucket> {
    const gateway = await runGateway(scope, flavor, options);
    const connection = await connectToGateway();
    scope.teardown(() => {
      connection.close();
      return Promise.resolve();
    });
    const bucket = `keyed-${randomBytes(4).toString('hex')}`;
    await connection.client.send(new CreateBucketCommand({ Bucket: bucket }));
    return new KeyedBucket(gateway, connection, bucket);
  }

  store(key: TestKey): S3ObjectStore {
    const { connection: access, bucket } = this;
    const { endpoint } = access;
    const { customerKey } = key;
    return new S3ObjectStore({ access, endpoint, bucket, customerKey, plaintext: 'refuse', log: silentLog });
  }

  async put(key: TestKey, name: string, content: Uint8Array | string, metadata: Metadata = {}) {
    const bytes = Buffer.from(content);
    await this.store(key).put(
      { key: name, body: [bytes], headers: { metadata, contentType: 'text/plain' }, condition: {} },
      never,
    );
  }

  async putPlain(name: string, content: string, metadata: Record<string, string> = {}): Promise<void> {
    const { client } = this.connection;
    const request = { Bucket: this.bucket, Key: name, Body: content, Metadata: metadata };
    await client.send(new PutObjectCommand({ ...request, ContentType: 'text/plain' }));
  }

  /** Rejects if the object is not under this key. */
  async get(key: TestKey, name: string): Promise<{ readonly info: ObjectInfo; readonly content: Buffer }> {
    const { info, pieces } = await this.store(key).get({ key: name, ...whole }, never);
    const bytes = joinPieces(pieces);
    return { info, content: Buffer.from(bytes) };
  }
}

export async function makeTestKey(scope: Scope): Promise<TestKey> {
  const file = await makeKeyFile(scope);
  return { ...file, customerKey: new CustomerKey(Buffer.from(file.keystring)) };
}

const main = `${projectRoot}/dist/src/main.cjs`;
/** Whatever the machine of the tests has. */
const env = { XDG_CONFIG_HOME: nowhere, OSIRISFS_KEY_FILE: undefined };

export function osirisfs(...args: readonly string[]): Promise<Finished> {
  return run(process.execPath, [main, ...args], { env });
}

export function startOsirisfs(...args: readonly string[]): Promise<RunningChild> {
  return start(process.execPath, [main, ...args], { env });
}

export function keyOptions(...keys: readonly TestKey[]): string[] {
  return keys.flatMap(({ path }) => ['--key-file', path]);
}
