/**
 * Beside the mounts: the same in parallel requests with the same key, which is what the server can do. By curl, but for copies on
 * the server, which move nothing.
 */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Sample } from './measurements.js';
import { runLimited, StepFailure } from './limited-run.js';
import { rawPieceBytes } from './source-files.js';
import { inNamespace, sharedFolder, type Work } from './work.js';

const requestsInFlight = 8;
const signedForSeconds = 3600;
const bigKey = `${sharedFolder}/big`;
/** Of copies on the server, as many at once. */
const copiedPieceBytes = 64 * 2 ** 20;

/** MiB/s of the big shared object in ranges. */
export async function getRaw(work: Work): Promise<Sample> {
  const { bucket } = work;
  const bytes = await bigBytes(work);
  const command = new GetObjectCommand({
    Bucket: bucket.name,
    Key: bigKey,
    ...bucket.encryption,
  });
  const url = await getSignedUrl(bucket.client, command, { expiresIn: signedForSeconds });
  const transfers: string[] = [];
  for (let offset = 0; offset < bytes; offset += rawPieceBytes) {
    const last = Math.min(offset + rawPieceBytes, bytes) - 1;
    transfers.push(`url = "${url}"\nrange = "${offset}-${last}"\noutput = "/dev/null"`);
  }
  return throughputOf(bytes, await timed(() => runCurl(work, transfers)));
}

/** MiB/s of a multipart upload of the pieces of the big file, from its creation to its completion. */
export async function putRaw(work: Work): Promise<Sample> {
  const { bucket } = work;
  const bytes = await bigBytes(work);
  const object = { Bucket: bucket.name, Key: 'curl/big', ...bucket.encryption };
  const folder = path.join(work.source, 'parts');
  const files = (await readdir(folder)).sort();
  const elapsed = await timed(async () => {
    const { UploadId } = await bucket.client.send(new CreateMultipartUploadCommand(object));
    if (UploadId === undefined) throw new Error('the server gives no upload id');
    const transfers = await Promise.all(
      files.map(async (file, index) => {
        const command = new UploadPartCommand({ ...object, UploadId, PartNumber: index + 1 });
        const url = await getSignedUrl(bucket.client, command, { expiresIn: signedForSeconds });
        return `url = "${url}"\nupload-file = "${path.join(folder, file)}"\noutput = "/dev/null"`;
      }),
    );
    await runCurl(work, transfers);
    const upload = { Bucket: bucket.name, Key: object.Key, UploadId };
    const { Parts: parts = [] } = await bucket.client.send(new ListPartsCommand(upload));
    if (parts.length !== files.length)
      throw new StepFailure(`fails: ${parts.length} of ${files.length} parts are stored`);
    const MultipartUpload = { Parts: parts.map(({ ETag, PartNumber }) => ({ ETag, PartNumber })) };
    await bucket.client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload }));
  });
  await checkStored(work, object.Key, bytes);
  return throughputOf(bytes, elapsed);
}

/** Seconds to put all small files. */
export async function putSmallRaw(work: Work): Promise<Sample> {
  const files = await smallFiles(work);
  const commands = files.map((file) => new PutObjectCommand(smallObject(work, file)));
  return await requestAll(work, commands, (index) => {
    const file = path.join(work.source, 'small', files[index] ?? '');
    return `upload-file = "${file}"`;
  });
}

/** Seconds to get what `putSmallRaw` has put. */
export async function getSmallRaw(work: Work): Promise<Sample> {
  const files = await smallFiles(work);
  const commands = files.map((file) => new GetObjectCommand(smallObject(work, file)));
  return await requestAll(work, commands, () => '');
}

/** Seconds to ask for each of the objects of a shared folder. */
export async function headRaw(work: Work, folder: string, count: number): Promise<Sample> {
  const { name: Bucket, encryption } = work.bucket;
  const commands = Array.from({ length: count }, (_, index) => {
    const Key = `${sharedFolder}/${folder}/file-${index}`;
    return new HeadObjectCommand({ Bucket, Key, ...encryption });
  });
  return await requestAll(work, commands, () => 'head');
}

type SignedCommand = PutObjectCommand | GetObjectCommand | HeadObjectCommand;

/** `option`: what curl is to be told of each beside its address. */
async function requestAll(
  work: Work,
  commands: readonly SignedCommand[],
  option: (index: number) => string,
): Promise<Sample> {
  const transfers = await Promise.all(
    commands.map(async (command, index) => {
      const url = await getSignedUrl(work.bucket.client, command, { expiresIn: signedForSeconds });
      return `url = "${url}"\n${option(index)}\noutput = "/dev/null"`;
    }),
  );
  return { value: await timed(() => runCurl(work, transfers)) };
}

/** Seconds for a copy of the big shared object on the server, from the upload's creation to its completion. */
export async function copyRaw(work: Work): Promise<Sample> {
  const { bucket } = work;
  const bytes = await bigBytes(work);
  const object = { Bucket: bucket.name, Key: 'curl/copied' };
  const { SSECustomerAlgorithm, SSECustomerKey, SSECustomerKeyMD5 } = bucket.encryption;
  const source = {
    CopySource: `${bucket.name}/${bigKey}`,
    CopySourceSSECustomerAlgorithm: SSECustomerAlgorithm,
    CopySourceSSECustomerKey: SSECustomerKey,
    CopySourceSSECustomerKeyMD5: SSECustomerKeyMD5,
  };
  const value = await timed(async () => {
    const create = new CreateMultipartUploadCommand({ ...object, ...bucket.encryption });
    const { UploadId } = await bucket.client.send(create);
    const Parts = await Promise.all(
      Array.from({ length: Math.ceil(bytes / copiedPieceBytes) }, async (_, index) => {
        const offset = index * copiedPieceBytes;
        const last = Math.min(offset + copiedPieceBytes, bytes) - 1;
        const part = { UploadId, PartNumber: index + 1, CopySourceRange: `bytes=${offset}-${last}` };
        const command = new UploadPartCopyCommand({ ...object, ...part, ...source, ...bucket.encryption });
        const { CopyPartResult } = await bucket.client.send(command);
        return { PartNumber: part.PartNumber, ETag: CopyPartResult?.ETag };
      }),
    );
    const complete = { ...object, UploadId, MultipartUpload: { Parts } };
    await bucket.client.send(new CompleteMultipartUploadCommand(complete));
  });
  await checkStored(work, object.Key, bytes);
  return { value };
}

async function bigBytes(work: Work): Promise<number> {
  return (await stat(path.join(work.source, 'big'))).size;
}

async function smallFiles(work: Work): Promise<string[]> {
  return await readdir(path.join(work.source, 'small'));
}

function smallObject({ bucket }: Work, file: string) {
  return { Bucket: bucket.name, Key: `curl/small/${file}`, ...bucket.encryption };
}

function throughputOf(bytes: number, seconds: number): Sample {
  return { value: bytes / 2 ** 20 / seconds, contentBytes: bytes };
}

/** Seconds that it takes. */
async function timed(work: () => Promise<void>): Promise<number> {
  const begunMs = performance.now();
  await work();
  return (performance.now() - begunMs) / 1000;
}

async function checkStored(work: Work, key: string, bytes: number): Promise<void> {
  const stored = (await work.bucket.list(key)).get(key);
  if (stored?.size !== bytes) throw new StepFailure(`fails: stored ${stored?.size ?? 0} of ${bytes} bytes`);
}

/** The configuration goes in by standard input: it has the customer key. */
async function runCurl(work: Work, transfers: readonly string[]): Promise<void> {
  const { key, server } = work;
  const header = (name: string, value: string): string =>
    `header = "x-amz-server-side-encryption-customer-${name}: ${value}"`;
  const common = [
    ...['fail', 'silent', 'show-error', `cacert = "${server.authority}"`, 'header = "Expect:"'],
    ...[header('algorithm', 'AES256'), header('key', key.base64), header('key-MD5', key.md5)],
  ].join('\n');
  const config = transfers.map((transfer) => `${transfer}\n${common}\n`).join('next\n');
  const options = ['--parallel', '--parallel-immediate', '--parallel-max', String(requestsInFlight)];
  const { command, args } = inNamespace(work.namespace, 'curl', ['-q', ...options, '--config', '-']);
  const { limitSeconds, signal } = work;
  await runLimited(command, args, { limitSeconds, signal, input: config });
}
