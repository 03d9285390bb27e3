/** curl beside the mounts: the same bytes in parallel requests with the same key, which is what the server can do. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListPartsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { runLimited, StepFailure } from './limited-run.js';
import { rawPieceBytes } from './source-files.js';
import { inNamespace, sharedFolder, type Work } from './work.js';

const requestsInFlight = 8;
const signedForSeconds = 3600;

/** MiB/s of the big shared object in ranges. */
export async function getRaw(work: Work, bytes: number): Promise<number> {
  const { bucket } = work;
  const command = new GetObjectCommand({
    Bucket: bucket.name,
    Key: `${sharedFolder}/big`,
    ...bucket.encryption,
  });
  const url = await getSignedUrl(bucket.client, command, { expiresIn: signedForSeconds });
  const transfers: string[] = [];
  for (let offset = 0; offset < bytes; offset += rawPieceBytes) {
    const last = Math.min(offset + rawPieceBytes, bytes) - 1;
    transfers.push(`url = "${url}"\nrange = "${offset}-${last}"\noutput = "/dev/null"`);
  }
  const begunMs = performance.now();
  await runCurl(work, transfers);
  return bytes / 2 ** 20 / ((performance.now() - begunMs) / 1000);
}

/** MiB/s of a multipart upload of the pieces of the big file, from its creation to its completion. */
export async function putRaw(work: Work, bytes: number): Promise<number> {
  const { bucket } = work;
  const object = { Bucket: bucket.name, Key: 'curl/big', ...bucket.encryption };
  const folder = path.join(work.source, 'parts');
  const files = (await readdir(folder)).sort();
  const begunMs = performance.now();
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
  const elapsed = (performance.now() - begunMs) / 1000;
  const stored = (await bucket.list(object.Key)).get(object.Key);
  if (stored?.size !== bytes) throw new StepFailure(`fails: stored ${stored?.size ?? 0} of ${bytes} bytes`);
  return bytes / 2 ** 20 / elapsed;
}

/** The big file's size, so that both know what they move. */
export async function rawBytes(work: Work): Promise<number> {
  return (await stat(path.join(work.source, 'big'))).size;
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
