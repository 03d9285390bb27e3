/** What the tests of the s3 layer share beside the server: replies of S3, and what requests and errors are. */
import type http from 'node:http';
import type { ExecutionContext } from 'ava';
import { StoreError, type StoreErrorCode } from '../../src/errors.js';
import { objectHeaders, type Received } from './fake-server.js';

export const noHeaders = { metadata: {} };

/** Checks that a promise rejects with a StoreError of that code, and returns it. */
export async function rejects(
  t: ExecutionContext,
  code: StoreErrorCode,
  promise: Promise<unknown>,
): Promise<StoreError> {
  const error = await t.throwsAsync(promise, { instanceOf: StoreError });
  t.is(error.code, code, error.message);
  return error;
}

/** Answers HEAD and GET with `content`, heeding ranges. */
export function answerObject(
  request: Received,
  response: http.ServerResponse,
  content: Buffer,
  encrypted = true,
): void {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  const part = first === undefined ? content : content.subarray(Number(first), Number(last) + 1);
  response.writeHead(first === undefined ? 200 : 206, {
    ...objectHeaders('etag', encrypted),
    'content-length': part.length,
    ...(first !== undefined && {
      'content-range': `bytes ${first}-${Number(first) + part.length - 1}/${content.length}`,
    }),
  });
  response.end(request.method === 'HEAD' ? undefined : part);
}

export const initiated = `<InitiateMultipartUploadResult><UploadId>upload</UploadId></InitiateMultipartUploadResult>`;
export const copiedPart = `<CopyPartResult><ETag>"${'0'.repeat(32)}"</ETag></CopyPartResult>`;
export const completed = `<CompleteMultipartUploadResult><ETag>"whole-1"</ETag></CompleteMultipartUploadResult>`;

/** Which operation of S3 a request is. */
export function operationOf({ method, url, headers }: Received): string {
  const query = new URL(url, 'http://x').searchParams;
  if (headers['x-amz-copy-source'] !== undefined)
    return query.has('uploadId') ? 'UploadPartCopy' : 'CopyObject';
  if (query.has('uploads')) return 'CreateMultipartUpload';
  if (query.has('uploadId')) {
    const names: Record<string, string> = {
      PUT: 'UploadPart',
      POST: 'CompleteMultipartUpload',
      DELETE: 'AbortMultipartUpload',
      GET: 'ListParts',
    };
    return names[method] ?? method;
  }
  if (query.has('encryption')) return 'GetBucketEncryption';
  if (query.has('delete')) return 'DeleteObjects';
  return method;
}
