/** Operations on buckets: list, make, look at, delete, and simple questions. */
import { payloadText } from '../payload.js';
import { isoTime, noContent, xmlReply, type GatewayReply } from '../gateway-reply.js';
import { headerOf } from '../request.js';
import { S3Error } from '../s3-error.js';
import { childText, element, parseXml, XmlElement, xmlDocument } from '../xml.js';
import { authorize, noSuchKey, requireBucket, type GatewayContext } from './gateway-operation.js';

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; no such name leads out of a directory. */
const bucketName = /^[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]$/;

/** There is one user. */
const owner = [element('ID', 'osirisfs'), element('DisplayName', 'osirisfs')];

export function handleListBuckets({ storage }: GatewayContext): Promise<GatewayReply> {
  const buckets = storage.buckets.map(({ info }) =>
    element('Bucket', element('Name', info.name), element('CreationDate', isoTime(info.createdMs))),
  );
  const reply = xmlDocument('ListAllMyBucketsResult', element('Owner', owner), element('Buckets', buckets));
  return Promise.resolve(xmlReply(reply));
}

export async function handleCreateBucket(context: GatewayContext): Promise<GatewayReply> {
  const { request, storage, flavor, nowMs } = context;
  const name = request.bucket;
  if (!bucketName.test(name)) throw new S3Error('InvalidBucketName', 'The specified bucket is not valid.');
  for (const header of ['x-amz-bucket-object-lock-enabled', 'x-amz-grant-read', 'x-amz-grant-write']) {
    if (headerOf(request, header) !== undefined) {
      throw new S3Error('NotImplemented', `This gateway does not have what ${header} asks for.`);
    }
  }
  // A request without a body need not say so.
  const hasBody =
    Number(headerOf(request, 'content-length') ?? 0) > 0 || headerOf(request, 'transfer-encoding');
  const text = hasBody ? await payloadText(context.payload()) : '';
  const location =
    text === '' ? '' : (childText(parseXml(text, 'CreateBucketConfiguration'), 'LocationConstraint') ?? '');
  const isNew = await storage.createBucket(name, location, nowMs);
  if (!isNew && !flavor.recreatesBuckets) {
    throw new S3Error('BucketAlreadyOwnedByYou', 'The bucket exists already and is yours.');
  }
  return { status: 200, headers: { location: `/${name}` } };
}

export async function handleDeleteBucket(context: GatewayContext): Promise<GatewayReply> {
  const bucket = requireBucket(context);
  if (!(await context.storage.deleteBucket(bucket))) {
    throw new S3Error('BucketNotEmpty', 'The bucket you tried to delete is not empty.');
  }
  return noContent;
}

export function handleHeadBucket(context: GatewayContext): Promise<GatewayReply> {
  const bucket = requireBucket(context);
  authorize(context, bucket, 's3:ListBucket', {}, '');
  return Promise.resolve({ status: 200, headers: { 'content-length': '0' } });
}

export function handleGetBucketLocation(context: GatewayContext): Promise<GatewayReply> {
  const { location } = requireBucket(context).info;
  return Promise.resolve(xmlReply(xmlDocument('LocationConstraint', location)));
}

/** Never turned on. */
export function handleGetBucketVersioning(context: GatewayContext): Promise<GatewayReply> {
  requireBucket(context);
  return Promise.resolve(xmlReply(xmlDocument('VersioningConfiguration')));
}

/** Only the owner may do anything. */
export async function handleGetAcl(context: GatewayContext): Promise<GatewayReply> {
  const bucket = requireBucket(context);
  const { key } = context.request;
  if (key !== '' && (await bucket.read(key)) === undefined) throw noSuchKey();
  const grantee = new XmlElement(
    `<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">${owner.map(({ text }) => text).join('')}</Grantee>`,
  );
  const grants = element('Grant', grantee, element('Permission', 'FULL_CONTROL'));
  const reply = xmlDocument(
    'AccessControlPolicy',
    element('Owner', owner),
    element('AccessControlList', grants),
  );
  return xmlReply(reply);
}
