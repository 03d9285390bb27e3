/** Buckets for tests, and a look at them from the other side: by Python's boto3, which shares no code with osirisfs. */
import { randomBytes } from 'node:crypto';
import { runOk, type ChildOptions } from './child.js';
import type { KeyFile, Scope } from './temporary.js';

/** Debian's Python, which has python3-boto3 and python3-boto, even if PATH has another one first. */
export const python = '/usr/bin/python3';

const prelude = `
import base64, hashlib, json, os, sys
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

given = json.load(sys.stdin)
s3 = boto3.client('s3', region_name='us-east-1',
                  endpoint_url=os.environ['AWS_ENDPOINT_URL'], verify=os.environ['AWS_CA_BUNDLE'],
                  config=Config(s3={'addressing_style': 'path'}, retries={'max_attempts': 2}))
bucket = given['bucket']
key = {'SSECustomerAlgorithm': 'AES256', 'SSECustomerKey': given['keystring']} if 'keystring' in given else {}

def listed(prefix=''):
    for page in s3.get_paginator('list_objects_v2').paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get('Contents', [])

def refused(operation, **arguments):
    try:
        operation(**arguments)
    except ClientError as error:
        return error.response['ResponseMetadata']['HTTPStatusCode']
    return None
`;

interface BotoInputs {
  readonly bucket: string;
  readonly keyFile?: KeyFile;
  readonly [name: string]: unknown;
}

/**
 * Runs a Python script that finds `s3` (a boto3 client), `bucket`, `key` (the SSE-C arguments of a call), `listed()`,
 * `refused()` and `given` (all of `inputs`), and sets `answer`, which is returned. The keystring goes by standard input.
 */
export async function withBoto3(
  script: string,
  inputs: BotoInputs,
  options: Pick<ChildOptions, 'timeoutMs' | 'env'> = {},
): Promise<unknown> {
  const { keyFile, ...rest } = inputs;
  const given = keyFile === undefined ? rest : { ...rest, keystring: keyFile.keystring };
  const program = `${prelude}\nanswer = None\n${script}\njson.dump(answer, sys.stdout)\n`;
  const env = { PYTHONWARNINGS: 'ignore', ...options.env };
  const input = JSON.stringify(given);
  return JSON.parse(await runOk(python, ['-c', program], { ...options, input, env }));
}

/** Makes a bucket that is emptied and deleted at the end of the test. */
export async function makeBucket(scope: Scope): Promise<string> {
  const bucket = await createBucket({});
  scope.teardown(() => deleteBucket(bucket));
  return bucket;
}

/** Makes a bucket, on the gateway that `env` leads to, and leaves it there. */
export async function createBucket(env: Readonly<Record<string, string>>): Promise<string> {
  const bucket = `osirisfs-test-${randomBytes(6).toString('hex')}`;
  await withBoto3('s3.create_bucket(Bucket=bucket)', { bucket }, { env });
  return bucket;
}

/** As its owner may, at any time. */
export async function setVersioning(bucket: string, status: 'Enabled' | 'Suspended'): Promise<void> {
  await withBoto3(
    `s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={'Status': given['status']})`,
    { bucket, status },
  );
}

async function deleteBucket(bucket: string): Promise<void> {
  await withBoto3(
    `
from concurrent.futures import ThreadPoolExecutor
for upload in s3.list_multipart_uploads(Bucket=bucket).get('Uploads', []):
    s3.abort_multipart_upload(Bucket=bucket, Key=upload['Key'], UploadId=upload['UploadId'])
keys = [{'Key': item['Key']} for item in listed()]
batches = [{'Objects': keys[at:at + 500], 'Quiet': True} for at in range(0, len(keys), 500)]
with ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda batch: s3.delete_objects(Bucket=bucket, Delete=batch), batches))
if s3.get_bucket_versioning(Bucket=bucket).get('Status'):
    for page in s3.get_paginator('list_object_versions').paginate(Bucket=bucket):
        for item in page.get('Versions', []) + page.get('DeleteMarkers', []):
            s3.delete_object(Bucket=bucket, Key=item['Key'], VersionId=item['VersionId'])
s3.delete_bucket(Bucket=bucket)
`,
    { bucket },
    { timeoutMs: 300_000 },
  );
}

/** Stores an object by boto3, as another user of the bucket would; returns its ETag. */
export async function putByBoto3(
  bucket: string,
  keyFile: KeyFile,
  objectKey: string,
  text: string,
): Promise<string> {
  const answer = await withBoto3(
    `answer = s3.put_object(Bucket=bucket, Key=given['objectKey'], Body=given['text'].encode(), **key)['ETag']`,
    { bucket, keyFile, objectKey, text },
  );
  return String(answer);
}

/** Reads an object, taken as UTF-8 text, by boto3. */
export async function getByBoto3(bucket: string, keyFile: KeyFile, objectKey: string): Promise<string> {
  const answer = await withBoto3(
    `answer = s3.get_object(Bucket=bucket, Key=given['objectKey'], **key)['Body'].read().decode()`,
    { bucket, keyFile, objectKey },
  );
  return String(answer);
}

/** Every key in the bucket, in order. */
export async function keysInBucket(bucket: string): Promise<string[]> {
  return (await withBoto3(
    `answer = [item['Key'] for item in listed()]`,
    { bucket },
    { timeoutMs: 120_000 },
  )) as string[];
}
