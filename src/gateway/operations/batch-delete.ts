/** DeleteObjects: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html */
import { payloadText } from '../payload.js';
import { xmlReply, type GatewayReply } from '../gateway-reply.js';
import { S3Error } from '../s3-error.js';
import { childrenOf, childText, element, malformed, parseXml, xmlDocument, type XmlElement } from '../xml.js';
import { authorize, requireBucket, type GatewayContext } from './gateway-operation.js';

const maxKeys = 1000;

export async function handleDeleteObjects(context: GatewayContext): Promise<GatewayReply> {
  const bucket = requireBucket(context);
  const root = parseXml(await payloadText(context.payload()), 'Delete');
  const isQuiet = childText(root, 'Quiet')?.trim() === 'true';
  const keys = childrenOf(root, 'Object').map((object) => {
    const key = childText(object, 'Key');
    if (key === undefined || key === '') throw malformed();
    return key;
  });
  if (keys.length === 0 || keys.length > maxKeys) throw malformed();
  const results: XmlElement[] = [];
  for (const key of keys) {
    try {
      authorize(context, bucket, 's3:DeleteObject', {}, key);
      await bucket.delete(key, () => undefined);
      if (!isQuiet) results.push(element('Deleted', element('Key', key)));
    } catch (error) {
      if (!(error instanceof S3Error)) throw error;
      const details = [element('Key', key), element('Code', error.code), element('Message', error.message)];
      results.push(element('Error', details));
    }
  }
  return xmlReply(xmlDocument('DeleteResult', results));
}
