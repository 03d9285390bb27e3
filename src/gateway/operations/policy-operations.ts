/** The policy of a bucket. Only the owner comes here, and no policy can lock the owner out. */
import { payloadText } from '../payload.js';
import { parsePolicy } from '../policy/parse-policy.js';
import { noContent, type GatewayReply } from '../gateway-reply.js';
import { S3Error } from '../s3-error.js';
import { requireBucket, type GatewayContext } from './gateway-operation.js';

export function handleGetPolicy(context: GatewayContext): Promise<GatewayReply> {
  const { policy } = requireBucket(context);
  if (policy === undefined) throw new S3Error('NoSuchBucketPolicy', 'The bucket policy does not exist.');
  return Promise.resolve({ status: 200, headers: { 'content-type': 'application/json' }, body: policy });
}

export async function handlePutPolicy(context: GatewayContext): Promise<GatewayReply> {
  const bucket = requireBucket(context);
  const text = await payloadText(context.payload());
  requireSense(text, context);
  await bucket.setPolicy(text);
  return noContent;
}

export async function handleDeletePolicy(context: GatewayContext): Promise<GatewayReply> {
  await requireBucket(context).setPolicy(undefined);
  return noContent;
}

/** The servers have different codes for a malformed policy. */
function requireSense(text: string, { request, flavor }: GatewayContext): void {
  try {
    parsePolicy(text, request.bucket);
  } catch (error) {
    if (!(error instanceof S3Error) || error.code !== 'MalformedPolicy') throw error;
    throw new S3Error(flavor.senselessPolicy, error.message, { cause: error });
  }
}
