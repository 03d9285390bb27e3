/** Which operation a request asks for, by method, address and query; everything that S3 has beyond these is refused. */
import { queryValue, type S3Request } from '../request.js';
import { S3Error } from '../s3-error.js';
import { handleDeleteObjects } from './batch-delete.js';
import {
  handleCreateBucket,
  handleDeleteBucket,
  handleGetAcl,
  handleGetBucketLocation,
  handleGetBucketVersioning,
  handleHeadBucket,
  handleListBuckets,
} from './bucket-operations.js';
import { handleCompleteUpload } from './complete-upload.js';
import type { GatewayOperation, GatewayContext } from './gateway-operation.js';
import { handleCopyObject } from './copy-object.js';
import { isCopy } from './copy-source.js';
import { handleListObjects } from './list-operations.js';
import { handleDeleteTags, handleGetTags, handlePutTags } from './object-tagging.js';
import { handleDeleteObject, handlePutObject, handleReadObject } from './object-operations.js';
import { handleUploadPart, handleUploadPartCopy } from './part-operations.js';
import { handleDeletePolicy, handleGetPolicy, handlePutPolicy } from './policy-operations.js';
import {
  handleAbortUpload,
  handleCreateUpload,
  handleListParts,
  handleListUploads,
} from './upload-operations.js';

/** By `METHOD level?subresource`. */
const operations: Readonly<Record<string, GatewayOperation>> = {
  'GET service': handleListBuckets,
  'GET bucket': handleListObjects,
  'GET bucket?location': handleGetBucketLocation,
  'GET bucket?versioning': handleGetBucketVersioning,
  'GET bucket?acl': handleGetAcl,
  'GET bucket?policy': handleGetPolicy,
  'GET bucket?uploads': handleListUploads,
  'PUT bucket': handleCreateBucket,
  'PUT bucket?policy': handlePutPolicy,
  'HEAD bucket': handleHeadBucket,
  'DELETE bucket': handleDeleteBucket,
  'DELETE bucket?policy': handleDeletePolicy,
  'POST bucket?delete': handleDeleteObjects,
  'GET object': handleReadObject,
  'GET object?acl': handleGetAcl,
  'GET object?uploadId': handleListParts,
  'GET object?tagging': handleGetTags,
  'HEAD object': handleReadObject,
  'PUT object': either(handleCopyObject, handlePutObject),
  'PUT object?tagging': handlePutTags,
  'DELETE object?tagging': handleDeleteTags,
  'PUT object?uploadId': either(handleUploadPartCopy, handleUploadPart),
  'DELETE object': handleDeleteObject,
  'DELETE object?uploadId': handleAbortUpload,
  'POST object?uploads': handleCreateUpload,
  'POST object?uploadId': handleCompleteUpload,
};

/** Names in the query that select another operation. A name without an operation here makes the gateway refuse the request. */
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

/** Throws `NotImplemented` for operations that the gateway does not have. */
export function chooseOperation(request: S3Request): GatewayOperation {
  const level = request.bucket === '' ? 'service' : request.key === '' ? 'bucket' : 'object';
  const subresource = subresources.find((name) => queryValue(request, name) !== undefined);
  const name = `${request.method} ${level}${subresource === undefined ? '' : `?${subresource}`}`;
  // Reading a part by its number: old RGWs do it wrong.
  const readsPart = name === 'GET object' && queryValue(request, 'partNumber') !== undefined;
  const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
  if (operation === undefined || readsPart) {
    throw new S3Error('NotImplemented', `This gateway does not have ${name}.`);
  }
  return operation;
}

function either(copying: GatewayOperation, receiving: GatewayOperation): GatewayOperation {
  return (context: GatewayContext) => (isCopy(context) ? copying(context) : receiving(context));
}
