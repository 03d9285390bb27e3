/** The SDK's client with everything set that this project needs of it, wherever the server is. */
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { sendDirectly } from './direct-client.js';
import { signBytesOfHeaders } from './header-bytes.js';
import type { PatientHttpHandler } from './patient-http-handler.js';
import { silenceSdkWarning } from './silence-sdk-warning.js';

export interface S3ClientOptions {
  /** Undefined for AWS itself. */
  readonly endpoint: URL | undefined;
  readonly region: string;
  readonly credentials: NonNullable<S3ClientConfig['credentials']>;
  readonly requestHandler: PatientHttpHandler;
}

/** Bodies that are protected by Content-MD5 and TLS, and need no SHA-256 in the signature too. */
const unsignedCommands: ReadonlySet<string | undefined> = new Set(['PutObjectCommand', 'UploadPartCommand']);

export function makeS3Client({ endpoint, region, credentials, requestHandler }: S3ClientOptions): S3Client {
  silenceSdkWarning();
  const client = new S3Client({
    region,
    credentials,
    // It was looked for where the user said. The SDK would look on, in another profile, and takes plain http as well.
    ignoreConfiguredEndpointUrls: true,
    ...(endpoint ? { endpoint: endpoint.href, forcePathStyle: true } : { followRegionRedirects: true }),
    requestHandler,
    maxAttempts: 1, // RetryingObjectStore is the one place that retries
    // Ceph 16 answers 411 to the trailers that carry the default checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    cacheMiddleware: true, // see abortable-client.ts
    logger: silentLogger,
  });
  client.middlewareStack.remove('loggerMiddleware'); // would prepare the input of every request for the logger
  if (endpoint?.protocol !== 'http:') leavePayloadsUnsigned(client);
  signBytesOfHeaders(client);
  // AWS itself addresses buckets by host names that the SDK knows to make.
  if (endpoint) sendDirectly(client, { endpoint, region, http: requestHandler.options });
  return client;
}

/** Without one, the SDK writes some warnings to the console. */
const silentLogger = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Otherwise the SDK hashes every body that is not a stream. */
function leavePayloadsUnsigned(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => (args) => {
      const request: unknown = args.request;
      if (unsignedCommands.has(context.commandName) && hasHeaders(request)) {
        request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      }
      return next(args);
    },
    { step: 'build', name: 'leavePayloadsUnsigned' },
  );
}

function hasHeaders(request: unknown): request is { readonly headers: Record<string, string> } {
  return typeof request === 'object' && request !== null && 'headers' in request;
}
