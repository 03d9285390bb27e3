/**
 * Makes the S3 client: which server, which credentials, which sockets. `check-bucket.ts` finds out whether the bucket is there.
 */
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import { StoreError } from '../errors.js';
import { checkedTls } from '../http/certificate-authorities.js';
import { idleSocketTimeoutMs, type PoolOptions } from '../http/connection-pool.js';
import { QuickAckAgent } from '../http/quick-ack-agent.js';
import { ReusedConnections } from '../http/reused-connections.js';
import { TrustedAuthorities } from '../http/trusted-authorities.js';
import { WatchedHttpAgent, WatchedHttpsAgent } from '../http/watched-agents.js';
import type { Log } from '../log.js';
import { type AllowedServers, lookUpLoopback, requireAllowedServer } from './allowed-server.js';
import { type AwsSettings, readAwsSettings, requireOwnSharedFiles } from './aws-settings.js';
import type { S3Access } from './bucket-client.js';
import { parseEndpoint } from './endpoint.js';
import { PatientHttpHandler } from './patient-http-handler.js';
import { RenewableCredentials } from './renewable-credentials.js';
import { Renewal } from './renewal.js';
import { makeS3Client, settingsOf } from './s3-client.js';
import { silenceSdkWarning } from './silence-sdk-warning.js';
import { Transport } from './transport.js';

export interface ConnectOptions {
  /** Default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile's endpoint_url, AWS itself. */
  readonly endpoint?: string;
  /** Default: AWS_REGION, AWS_DEFAULT_REGION, the profile's region, us-east-1. */
  readonly region?: string;
  /** Default: AWS_PROFILE, `default`. */
  readonly profile?: string;
  /** PEM file of authorities to trust beside Node's. Default: AWS_CA_BUNDLE, the profile's ca_bundle. */
  readonly caBundle?: string;
  /** Default: as the AWS conventions say. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** For loopback addresses only. */
  readonly allowPlainHttp: boolean;
  /** A request is given up after this long without a byte in either direction. */
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly maxSockets: number;
  /** Sets TCP_QUICKACK on a descriptor; without it, Ceph's replies take 40 ms longer. */
  readonly setQuickAck?: (fd: number) => void;
  readonly log: Log;
}

export interface S3Connection extends S3Access {
  /** Undefined for AWS itself. */
  readonly endpoint: URL | undefined;
  readonly region: string;
  /** Renews what the client was made with, when a request is refused because of it. */
  readonly renewal: Renewal;
  /** Closes the idle sockets; requests under way fail. */
  close(): void;
}

/** While the server copies or puts together: 5 GiB, the largest part, take Ceph about 35 s. */
const workTimeoutMs = 120_000;
/** For the metadata service of cloud machines, the last place where credentials are looked for. */
const metadataServiceTimeoutMs = 1_000;

/**
 * Rejects with a StoreError: `InvalidRequest` (endpoint), `CertificateRejected` (CA bundle), `AccessDenied` (profile or
 * credentials missing), each with a message of one line. Sends nothing to the S3 server.
 */
export async function connect(options: ConnectOptions): Promise<S3Connection> {
  silenceSdkWarning(); // before the search for credentials, which may make a client
  const settings = await readAwsSettings(options.profile, process.env);
  const endpointText = options.endpoint ?? settings.endpoint;
  const endpoint =
    endpointText === undefined ? undefined : parseEndpoint(endpointText, options.allowPlainHttp);
  const region = options.region ?? settings.region ?? 'us-east-1';
  const authorities = await TrustedAuthorities.load({
    bundle: options.caBundle ?? settings.caBundle,
    extra: process.env['NODE_EXTRA_CA_CERTS'],
  });
  const { allowPlainHttp, log } = options;
  const routeFor = (allowed: AllowedServers) => makeRoute(options, authorities, allowed);
  const credentials =
    options.credentials ??
    (await findCredentials(options, settings, routeFor({ kind: 'credentials', allowPlainHttp }).handler));
  const { handler: requestHandler, http } = routeFor(
    endpoint ? { kind: 'endpoint', endpoint } : { kind: 'aws' },
  );
  const provider = credentials instanceof RenewableCredentials ? credentials.provide : credentials;
  const client = makeS3Client({ endpoint, region, credentials: provider, requestHandler });
  const transport = new Transport({ ...settingsOf(client, { endpoint, region }), http });
  const renewal = new Renewal({
    ...(credentials instanceof RenewableCredentials && {
      renewCredentials: async () => {
        if (!(await credentials.renew())) return false;
        await client.config.credentials({ forceRefresh: true }); // of what the SDK remembers
        return true;
      },
    }),
    reloadAuthorities: () => authorities.reload(),
    log,
  });
  return {
    client,
    transport,
    endpoint,
    region,
    renewal,
    close: () => {
      transport.close();
      client.destroy();
    },
  };
}

async function findCredentials(
  { profile, log }: ConnectOptions,
  settings: AwsSettings,
  requestHandler: PatientHttpHandler,
): Promise<RenewableCredentials> {
  const provider = fromNodeProviderChain({
    ...(profile !== undefined && { profile }),
    ignoreCache: true, // of what was read of the files
    clientConfig: { requestHandler }, // of the clients of STS and of single sign-on
    timeout: metadataServiceTimeoutMs,
    maxRetries: 0,
    logger: {
      // Without this logger the SDK would warn on the console.
      trace: () => undefined,
      debug: () => undefined,
      info: () => undefined,
      warn: () => log.debug({}, 'a profile and credentials in the environment: using the profile'),
      error: () => undefined,
    },
  });
  const credentials = new RenewableCredentials({
    find: async () => {
      await requireOwnSharedFiles();
      return await provider({ forceRefresh: true });
    },
    log,
  });
  try {
    await credentials.provide();
  } catch (error) {
    const reason = error instanceof Error ? error.name : 'unknown reason';
    if (settings.hasCredentialProcess) {
      throw new StoreError(
        'AccessDenied',
        `no S3 credentials: the credential_process of the profile ${JSON.stringify(settings.profile)} gives none (${reason}); run it to see why`,
      );
    }
    throw new StoreError(
      'AccessDenied',
      `no S3 credentials found: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment nor the profile ` +
        `${JSON.stringify(settings.profile)} in ~/.aws/credentials or ~/.aws/config gives any (${reason})`,
    );
  }
  return credentials;
}

/** For the SDK, and for requests that do not go through it. */
interface Route {
  readonly handler: PatientHttpHandler;
  readonly http: PoolOptions;
}

function makeRoute(
  options: ConnectOptions,
  authorities: TrustedAuthorities,
  allowedServers: AllowedServers,
): Route {
  const { setQuickAck, connectTimeoutMs, log } = options;
  const shared = { keepAlive: true, maxSockets: options.maxSockets, timeout: idleSocketTimeoutMs };
  const secure = { ...shared, ...checkedTls };
  const reused = new ReusedConnections({ requestTimeoutMs: options.requestTimeoutMs });
  const quickAckAgent =
    setQuickAck &&
    new QuickAckAgent({
      ...secure,
      reused,
      setQuickAck,
      onUnavailable: () => log.debug({}, 'no way to set TCP_QUICKACK on the sockets of this Node'),
    });
  const httpsAgent = quickAckAgent ?? new WatchedHttpsAgent(secure, reused);
  authorities.useFor((secureContext) => (httpsAgent.options.secureContext = secureContext));
  const limits = {
    connectTimeoutMs,
    idleTimeoutMs: options.requestTimeoutMs,
    workTimeoutMs: Math.max(workTimeoutMs, options.requestTimeoutMs),
    reused,
  };
  const httpAgent = new WatchedHttpAgent({ ...shared, lookup: lookUpLoopback }, reused);
  return {
    handler: new PatientHttpHandler({ allowedServers, httpAgent, httpsAgent, ...limits }),
    http: {
      requireAllowed: ({ protocol, hostname, port }) =>
        requireAllowedServer(
          { protocol, hostname, port: port === '' ? undefined : Number(port) },
          allowedServers,
        ),
      trusted: () => ({ secureContext: authorities.secureContext }),
      plainLookup: lookUpLoopback,
      acknowledgeAtOnce: quickAckAgent && ((socket) => quickAckAgent.acknowledgeAtOnce(socket)),
      ...limits,
    },
  };
}
