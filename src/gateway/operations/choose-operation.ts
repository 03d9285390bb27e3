/** Which operation a request asks for, by method, address and query; everything that S3 has beyond these is refused. */
import { queryValue, type S3Request } from '../request.js';
import { S3Error } from '../s3-error.js';
import { deleteObjects } from './batch-delete.js';
import {
  createBucket,
  deleteBucket,
  getAcl,
  getBucketLocation,
  getBucketVersioning,
  headBucket,
  listBuckets,
} from './bucket-operations.js';
import { completeUpload } from './complete-upload.js';
import type { Operation, OperationContext } from './gateway-operation.js';
import { copyObject } from './copy-object.js';
import { isCopy } from './copy-source.js';
import { listObjects } from './list-operations.js';
import { deleteTags, getTags, putTags } from './object-tagging.js';
import { deleteObject, putObject, readObject } from './object-operations.js';
import { uploadPart, uploadPartCopy } from './part-operations.js';
import { deletePolicy, getPolicy, putPolicy } from './policy-operations.js';
import { abortUpload, createUpload, listParts, listUploads } from './upload-operations.js';

/** By `METHOD level?subresource`. */
const operations: Readonly<Record<string, Operation>> = {
  'GET service': listBuckets,
  'GET bucket': listObjects,
  'GET bucket?location': getBucketLocation,
  'GET bucket?versioning': getBucketVersioning,
  'GET bucket?acl': getAcl,
  'GET bucket?policy': getPolicy,
  'GET bucket?uploads': listUploads,
  'PUT bucket': createBucket,
  'PUT bucket?policy': putPolicy,
  'HEAD bucket': headBucket,
  'DELETE bucket': deleteBucket,
  'DELETE bucket?policy': deletePolicy,
  'POST bucket?delete': deleteObjects,
  'GET object': readObject,
  'GET object?acl': getAcl,
  'GET object?uploadId': listParts,
  'GET object?tagging': getTags,
  'HEAD object': readObject,
  'PUT object': either(copyObject, putObject),
  'PUT object?tagging': putTags,
  'DELETE object?tagging': deleteTags,
  'PUT object?uploadId': either(uploadPartCopy, uploadPart),
  'DELETE object': deleteObject,
  'DELETE object?uploadId': abortUpload,
  'POST object?uploads': createUpload,
  'POST object?uploadId': completeUpload,
};

/** What in a query makes it another operation. Names that are in none of the operations are refused by that. */
const subresources = [
  ...['uploadId', 'uploads', 'delete', 'location', 'versioning', 'acl', 'policy', 'policyStatus', 'versions'],
  ...[
    'versionId',
    'tagging',
    'cors',
    'lifecycle',
    'logging',
    'website',
    'notification',
    'encryption',
    'torrent',
  ],
  ...[
    'replication',
    'requestPayment',
    'object-lock',
    'retention',
    'legal-hold',
    'select',
    'restore',
    'attributes',
  ],
  ...['accelerate', 'analytics', 'inventory', 'metrics', 'intelligent-tiering', 'ownershipControls'],
  ...['publicAccessBlock', 'append', 'session'],
];

/** Throws `NotImplemented` for what the gateway does not have. */
export function chooseOperation(request: S3Request): Operation {
  const level = request.bucket === '' ? 'service' : request.key === '' ? 'bucket' : 'object';
  const subresource = subresources.find((name) => queryValue(request, name) !== undefined);
  const name = `${request.method} ${level}${subresource === undefined ? '' : `?${subresource}`}`;
  // The number of a part alone, to read it, is something that old RGWs do wrong.
  const readsPart = name === 'GET object' && queryValue(request, 'partNumber') !== undefined;
  const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
  if (operation === undefined || readsPart) {
    throw new S3Error('NotImplemented', `This gateway does not have ${name}.`);
  }
  return operation;
}

function either(copying: Operation, receiving: Operation): Operation {
  return (context: OperationContext) => (isCopy(context) ? copying(context) : receiving(context));
}
