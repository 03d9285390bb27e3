/** The SDK's client with all the settings that this project needs. */
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { encodeUri } from '../signature-v4.js';
import type { PatientHttpHandler } from './patient-http-handler.js';
import { silenceSdkWarning } from './silence-sdk-warning.js';
import type { ServerClock, TransportOptions } from './transport.js';

interface S3ClientOptions {
  /** Undefined for AWS itself. */
  readonly endpoint: URL | undefined;
  readonly region: string;
  readonly credentials: NonNullable<S3ClientConfig['credentials']>;
  readonly requestHandler: PatientHttpHandler;
}

export function makeS3Client({ endpoint, region, credentials, requestHandler }: S3ClientOptions): S3Client {
  silenceSdkWarning();
  const client = new S3Client({
    region,
    credentials,
    // The search is over. The SDK would search on in another profile, and accepts plain http as well.
    ignoreConfiguredEndpointUrls: true,
    ...(endpoint ? { endpoint: endpoint.href, forcePathStyle: true } : { followRegionRedirects: true }),
    requestHandler,
    maxAttempts: 1, // RetryingObjectStore is the one place that retries
    // Ceph 16 answers 411 to the trailers that carry the default checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    logger: silentLogger,
  });
  client.middlewareStack.remove('loggerMiddleware'); // a logger would make the SDK prepare the input of every request
  return client;
}

/** The client's settings for requests that do not go through it, so that both speak to the server in one way. */
export function settingsOf(
  client: S3Client,
  { endpoint, region }: Pick<S3ClientOptions, 'endpoint' | 'region'>,
): Pick<TransportOptions, 'addressOf' | 'region' | 'followsRegions' | 'credentials' | 'serverClock'> {
  const { config } = client;
  const serverClock: ServerClock = {
    get offsetMs() {
      return config.systemClockOffset;
    },
    learn: (offsetMs) => {
      config.systemClockOffset = offsetMs;
    },
  };
  return {
    // AWS addresses buckets by host names. The SDK knows how to make them.
    addressOf: endpoint
      ? (bucket) => new URL(`${endpoint.origin}${endpoint.pathname.replace(/\/$/, '')}/${encodeUri(bucket)}`)
      : async (bucket, bucketRegion) => {
          const [UseFIPS, UseDualStack] = [
            await config.useFipsEndpoint(),
            await config.useDualstackEndpoint(),
          ];
          const parameters = { Region: bucketRegion, Bucket: bucket, UseFIPS, UseDualStack };
          return config.endpointProvider(parameters).url;
        },
    region,
    followsRegions: endpoint === undefined,
    credentials: () => config.credentials(),
    serverClock,
  };
}

/** Without a logger the SDK writes some warnings to the console. */
const silentLogger = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
