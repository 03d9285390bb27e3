/** What every operation gets: the request, and the storage to work on. */
import type { Flavor } from '../flavor.js';
import type { Payload } from '../payload.js';
import { requireAllowed } from '../policy/evaluate-policy.js';
import { parsePolicy, type PolicyAction } from '../policy/parse-policy.js';
import { headerOf, type S3Request } from '../request.js';
import type { GatewayReply } from '../gateway-reply.js';
import { S3Error } from '../s3-error.js';
import type { Bucket } from '../storage/bucket.js';
import type { Storage } from '../storage/storage.js';

export interface GatewayContext {
  readonly request: S3Request;
  readonly storage: Storage;
  readonly flavor: Flavor;
  /** When the request came. */
  readonly nowMs: number;
  /** Call it once. Throws an `S3Error` if the request does not describe its body well enough. */
  readonly payload: () => Payload;
}

export type GatewayOperation = (context: GatewayContext) => Promise<GatewayReply>;

const maxKeyBytes = 1024;

/** Throws `NoSuchBucket`. */
export function requireBucket({ storage, request }: GatewayContext, name = request.bucket): Bucket {
  const bucket = storage.bucket(name);
  if (bucket === undefined) throw new S3Error('NoSuchBucket', 'The specified bucket does not exist.');
  return bucket;
}

export function noSuchKey(): S3Error {
  return new S3Error('NoSuchKey', 'The specified key does not exist.');
}

/** Throws an `S3Error` if the request has a key that no object can have. */
export function requireValidKey(request: S3Request, flavor: Flavor): void {
  if (Buffer.byteLength(request.key) > maxKeyBytes) {
    throw new S3Error(flavor.tooLongKey, `A key has at most ${maxKeyBytes} bytes.`);
  }
}

/**
 * Throws `AccessDenied` if the bucket's policy denies the action. `sent` are the headers that the policy's conditions see, by
 * lower-case name.
 */
export function authorize(
  { request, flavor }: GatewayContext,
  bucket: Bucket,
  action: PolicyAction,
  sent: Readonly<Record<string, string>> = {},
  key = request.key,
): void {
  if (bucket.policy === undefined) return;
  const resource = key === '' ? bucket.info.name : `${bucket.info.name}/${key}`;
  const policy = parsePolicy(bucket.policy, bucket.info.name);
  requireAllowed(policy, { action, resource, sent, isSecure: request.isSecure }, flavor.negatesMissingValues);
}

const shownByRgw = ['x-amz-server-side-encryption'];
const shownByAws = [...shownByRgw, 'x-amz-server-side-encryption-customer-algorithm', 'x-amz-acl'];

/** The headers of a write that conditions of a policy see. RGW shows them for PUTs only. */
export function headersForPolicy(
  { request, flavor }: GatewayContext,
  kind: 'put' | 'other',
): Readonly<Record<string, string>> {
  const none = !flavor.showsPoliciesCustomerKeys && kind === 'other';
  const names = none ? [] : flavor.showsPoliciesCustomerKeys ? shownByAws : shownByRgw;
  const shown: Record<string, string> = {};
  for (const name of names) {
    const value = headerOf(request, name);
    if (value !== undefined) shown[name] = value;
  }
  return shown;
}
