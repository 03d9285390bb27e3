// Makes a bucket for scripts/measure-changes. Usage: make-bucket.js BUCKET, the rest as AWS clients
// take it from the environment.
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

const [bucket] = process.argv.slice(2);
if (bucket === undefined) throw new Error('usage: make-bucket.js BUCKET');
const client = new S3Client({ region: 'us-east-1', forcePathStyle: true });
await client.send(new CreateBucketCommand({ Bucket: bucket }));
