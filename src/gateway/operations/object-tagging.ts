/** The tags of an object: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html */
import { payloadText } from '../payload.js';
import { noContent, xmlReply, type GatewayReply } from '../gateway-reply.js';
import { headerOf } from '../request.js';
import { S3Error } from '../s3-error.js';
import type { Bucket } from '../storage/bucket.js';
import { childrenOf, childText, element, malformed, parseXml, xmlDocument } from '../xml.js';
import { authorize, noSuchKey, requireBucket, type GatewayContext } from './gateway-operation.js';

type Tag = readonly [name: string, value: string];

const maxTags = 10;
const maxNameLength = 128;
const maxValueLength = 256;

/** The tags that a request gives a new object. Undefined: none. Throws an `S3Error` if they are malformed or not allowed. */
export function newObjectTags(context: GatewayContext, bucket: Bucket): string | undefined {
  const text = headerOf(context.request, 'x-amz-tagging');
  if (text === undefined || text === '') return undefined;
  authorize(context, bucket, 's3:PutObjectTagging');
  return textOfTags(tagsOfText(text));
}

/** In the form of the header. */
export function tagsOfText(text: string): readonly Tag[] {
  return [...new URLSearchParams(text)];
}

export async function handleGetTags(context: GatewayContext): Promise<GatewayReply> {
  const bucket = requireBucket(context);
  authorize(context, bucket, 's3:GetObjectTagging');
  const held = await bucket.hold(context.request.key);
  if (held === undefined) throw noSuchKey();
  await held.release();
  const tags = tagsOfText(held.tags ?? '').map(([name, value]) =>
    element('Tag', element('Key', name), element('Value', value)),
  );
  return xmlReply(xmlDocument('Tagging', element('TagSet', tags)));
}

export async function handlePutTags(context: GatewayContext): Promise<GatewayReply> {
  const bucket = requireBucket(context);
  authorize(context, bucket, 's3:PutObjectTagging');
  const [set] = childrenOf(parseXml(await payloadText(context.payload()), 'Tagging'), 'TagSet');
  const tags = childrenOf(set, 'Tag').map((tag): Tag => {
    const name = childText(tag, 'Key');
    if (name === undefined) throw malformed();
    return [name, childText(tag, 'Value') ?? ''];
  });
  if (!(await bucket.setTags(context.request.key, textOfTags(tags)))) throw noSuchKey();
  return { status: 200, headers: {} };
}

export async function handleDeleteTags(context: GatewayContext): Promise<GatewayReply> {
  const bucket = requireBucket(context);
  authorize(context, bucket, 's3:DeleteObjectTagging');
  if (!(await bucket.setTags(context.request.key, undefined))) throw noSuchKey();
  return noContent;
}

/** Undefined for none. */
function textOfTags(tags: readonly Tag[]): string | undefined {
  const names = new Set(tags.map(([name]) => name));
  const isTooLong = tags.some(
    ([name, value]) => name === '' || name.length > maxNameLength || value.length > maxValueLength,
  );
  if (isTooLong || names.size !== tags.length) throw new S3Error('InvalidTag', 'These are no tags.');
  if (tags.length > maxTags) throw new S3Error('BadRequest', `An object has at most ${maxTags} tags.`);
  return tags.length === 0 ? undefined : new URLSearchParams(Object.fromEntries(tags)).toString();
}
