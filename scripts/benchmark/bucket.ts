/** The bucket as a foreign client sees it: what is stored, whatever a mount may say. */
import { readFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import {
  CreateBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NotFound,
  S3Client,
} from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { CustomerKeyFiles } from './customer-key-files.js';
import type { ServerAccess } from './server.js';

export interface StoredObject {
  readonly size: number;
  readonly etag: string;
}

interface EncryptionFields {
  readonly SSECustomerAlgorithm: 'AES256';
  readonly SSECustomerKey: string;
  readonly SSECustomerKeyMD5: string;
}

export class Bucket {
  readonly name: string;
  readonly client: S3Client;
  readonly encryption: EncryptionFields;

  constructor(name: string, client: S3Client, key: CustomerKeyFiles) {
    this.name = name;
    this.client = client;
    this.encryption = {
      SSECustomerAlgorithm: 'AES256',
      SSECustomerKey: key.base64,
      SSECustomerKeyMD5: key.md5,
    };
  }

  async create(): Promise<void> {
    await this.client.send(new CreateBucketCommand({ Bucket: this.name }));
  }

  /** By key. The empty objects that stand for directories are left out. */
  async list(prefix: string): Promise<Map<string, StoredObject>> {
    const found = new Map<string, StoredObject>();
    let token: string | undefined;
    do {
      const page = await this.client.send(
        new ListObjectsV2Command({ Bucket: this.name, Prefix: prefix, ContinuationToken: token }),
      );
      for (const { Key: key, Size: size = 0, ETag: etag = '' } of page.Contents ?? []) {
        if (key !== undefined && !key.endsWith('/')) found.set(key, { size, etag });
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return found;
  }

  /** The permissions kept in the object's metadata; undefined if there are none, or no object. */
  async readMode(key: string): Promise<number | undefined> {
    try {
      const command = new HeadObjectCommand({ Bucket: this.name, Key: key, ...this.encryption });
      const { Metadata: metadata } = await this.client.send(command);
      const mode = Number(metadata?.['mode']);
      return Number.isSafeInteger(mode) ? mode & 0o777 : undefined;
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }
}

export async function connectToBucket(
  name: string,
  access: ServerAccess,
  key: CustomerKeyFiles,
): Promise<Bucket> {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
  const ca = await readFile(access.authority);
  const client = new S3Client({
    region: 'us-east-1',
    endpoint: access.endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId: access.accessKey, secretAccessKey: access.secretKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: new NodeHttpHandler({
      httpsAgent: new Agent({ ca, keepAlive: true, maxSockets: 8 }),
      requestTimeout: 60_000,
      connectionTimeout: 10_000,
    }),
  });
  return new Bucket(name, client, key);
}
