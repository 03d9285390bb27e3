/**
 * The gate where bytes leave: which servers the requests of a client may go to. The settings were checked when they were read.
 * This checks where each request really goes, because the SDK has ways of its own to find a server.
 */
import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { StoreError } from '../errors.js';
import { isLoopback } from './endpoint.js';

export type AllowedServers =
  /** The configured one only, as `parseEndpoint` let it pass. */
  | { readonly kind: 'endpoint'; readonly endpoint: URL }
  /** Those of AWS's S3, in any region: a bucket may be in another one than the client was told. */
  | { readonly kind: 'aws' }
  /** Where the AWS conventions lead for credentials (STS, single sign-on). No customer key is sent there. */
  | { readonly kind: 'credentials'; readonly allowPlainHttp: boolean };

/** As the SDK's requests have it. */
export interface Destination {
  /** With its colon. */
  readonly protocol: string;
  /** An IPv6 address with or without its brackets. */
  readonly hostname: string;
  /** Undefined: the protocol's own. */
  readonly port?: number | undefined;
}

/**
 * The hosts of S3 in each partition of AWS, with a bucket before them or not
 * (https://docs.aws.amazon.com/general/latest/gr/s3.html, and the endpoint rules of the SDK).
 */
const awsHost =
  /^(?:[a-z0-9._-]+\.)?s3[a-z0-9-]*(?:\.dualstack)?(?:\.[a-z]{2,4}(?:-[a-z]+)+-\d+)?\.(?:amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$/;

/** Throws a StoreError of code `ServerRefused`, whose message names the host, if a request may not go there. */
export function requireAllowedServer(to: Destination, allowed: AllowedServers): void {
  const hostname = to.hostname.toLowerCase().replace(/^([^[].*:.*)$/, '[$1]');
  const port = to.port ?? defaultPort(to.protocol);
  const refuse = (why: string): StoreError =>
    new StoreError('ServerRefused', `nothing is sent to ${to.protocol}//${hostname}:${port}: ${why}`);
  if (to.protocol !== 'https:' && !(mayBePlain(allowed) && to.protocol === 'http:' && isLoopback(hostname))) {
    throw refuse('it is not https');
  }
  switch (allowed.kind) {
    case 'endpoint': {
      const { endpoint } = allowed;
      const isTheOne =
        to.protocol === endpoint.protocol &&
        hostname === endpoint.hostname &&
        port === Number(endpoint.port || defaultPort(endpoint.protocol));
      if (!isTheOne) throw refuse(`the configured server is ${endpoint.origin}`);
      return;
    }
    case 'aws':
      if (port !== defaultPort('https:') || !awsHost.test(hostname)) {
        throw refuse('no server is configured, so it should be AWS, and this is none of its S3 servers');
      }
      return;
    case 'credentials':
      return;
  }
}

/** Whether the configuration of the server allows plain http. */
function mayBePlain(allowed: AllowedServers): boolean {
  switch (allowed.kind) {
    case 'endpoint':
      return allowed.endpoint.protocol === 'http:';
    case 'aws':
      return false;
    case 'credentials':
      return allowed.allowPlainHttp;
  }
}

function defaultPort(protocol: string): number {
  return protocol === 'https:' ? 443 : 80;
}

/**
 * `dns.lookup` for plain http: a name of this machine is refused, with a StoreError of code `ServerRefused`, unless each of its
 * addresses is this machine's own. Not every resolver keeps names below `localhost` from the network.
 */
export const lookUpLoopback: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) {
      callback(error, []);
      return;
    }
    const foreign = addresses.find(({ address }) => !isLoopbackAddress(address));
    const first = addresses[0];
    if (foreign !== undefined || first === undefined) {
      const where = foreign === undefined ? 'nowhere' : `at ${foreign.address}, which is not this machine`;
      const message = `nothing is sent to http://${hostname}: it is plain http, and the name is ${where}`;
      callback(new StoreError('ServerRefused', message), []);
    } else if (options.all === true) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
};

function isLoopbackAddress(address: string): boolean {
  return isLoopback(address.includes(':') ? `[${address}]` : address);
}
