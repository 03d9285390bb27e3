/**
 * What the SDK sends with bytes beyond ASCII in its headers: it signs their characters as UTF-8, while Node sends each character
 * as one byte. Such requests are signed once more, over what is sent.
 */
import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import type { NodeHttpHandler } from '@smithy/node-http-handler';
import { encodeUri, type HeaderField, RequestSigner } from './signature-v4.js';

type HttpRequest = Parameters<NodeHttpHandler['handle']>[0];

/** The field of a command's input with the text of its `Expires`: the SDK would take a time only, and servers keep any text. */
export const expiresField = Symbol('expires');

/** Beyond ASCII: each such character is one byte. */
const isBeyondAscii = /[\x80-\xff]/;
/** `RequestSigner` adds these itself. */
const ownHeaders: ReadonlySet<string> = new Set([
  'x-amz-date',
  'x-amz-content-sha256',
  'x-amz-security-token',
]);

/** Makes the client do so. */
export function signBytesOfHeaders(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const expires: unknown = Reflect.get(args.input, expiresField);
      if (typeof expires === 'string') (args.request as HttpRequest).headers['expires'] = expires;
      return next(args);
    },
    { step: 'build', name: 'setExpires' },
  );
  client.middlewareStack.add(
    (next) => async (args) => {
      const request = args.request as HttpRequest;
      if (Object.values(request.headers).some((value) => isBeyondAscii.test(value))) {
        await signAgain(request, client);
        passDisposition(request);
      }
      return next(args);
    },
    // After the SDK has signed.
    { step: 'finalizeRequest', priority: 'low', name: 'signBytesOfHeaders' },
  );
}

async function signAgain(request: HttpRequest, client: S3Client): Promise<void> {
  const { headers } = request;
  const [, region, signedHeaders] =
    /^AWS4-HMAC-SHA256 Credential=[^/]+\/\d{8}\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+),/.exec(
      headers['authorization'] ?? '',
    ) ?? [];
  if (region === undefined || signedHeaders === undefined) return; // signed in another way
  const byName = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const fields = signedHeaders
    .split(';')
    .filter((name) => !ownHeaders.has(name))
    .map((name): HeaderField => [name, byName.get(name) ?? '']);
  const signed = new RequestSigner(region).sign(
    {
      method: request.method,
      path: request.path,
      query: canonicalQuery(request.query),
      headers: fields,
      bodySha256: byName.get('x-amz-content-sha256') ?? '',
    },
    await client.config.credentials(),
    timeOf(byName.get('x-amz-date') ?? ''),
  );
  const [, authorization] = signed.find(([name]) => name === 'authorization') ?? [];
  if (authorization !== undefined) headers['authorization'] = authorization;
}

/**
 * Node takes this one header for UTF-8 when it knows the whole body (https://github.com/nodejs/node/pull/46528), and sends other
 * bytes: of a stream it does not know it.
 */
function passDisposition(request: HttpRequest): void {
  const body: unknown = request.body;
  const isChanged = isBeyondAscii.test(request.headers['content-disposition'] ?? '');
  if (isChanged && Buffer.isBuffer(body)) request.body = Readable.from([body], { objectMode: false });
}

/** As it is sent: sorted by name. */
function canonicalQuery(query: HttpRequest['query']): string {
  return Object.entries(query)
    .flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value ?? '']).map((one) => `${encodeUri(name)}=${encodeUri(one)}`),
    )
    .sort()
    .join('&');
}

/** Of YYYYMMDDTHHMMSSZ. */
function timeOf(dateTime: string): number {
  return Date.parse(dateTime.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}
