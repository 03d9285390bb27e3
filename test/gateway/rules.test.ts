// The rules in which RGW and AWS differ, and those of SSE-C, by boto3, which shares no code with the gateway's other clients.
import test from 'ava';
import type { FlavorName } from '../../src/gateway/flavor.js';
import { createBucket, withBoto3 } from '../mount/bucket.js';
import { makeKeyFile, type Scope } from '../mount/temporary.js';
import { runGateway } from './running-gateway.js';

const prelude = `
other = {'SSECustomerAlgorithm': 'AES256', 'SSECustomerKey': 'x' * 32}
source = {'CopySource' + name: value for name, value in key.items()}
def code(operation, **arguments):
    try:
        operation(**arguments)
    except ClientError as error:
        return error.response['Error']['Code']
    return 'OK'
def put(name, body=b'content', **more):
    return s3.put_object(Bucket=bucket, Key=name, Body=body, **more)
`;

async function ask(scope: Scope, flavor: FlavorName, script: string): Promise<unknown> {
  const gateway = await runGateway(scope, flavor);
  const bucket = await createBucket({});
  const keyFile = await makeKeyFile(scope);
  const httpEndpoint = { PLAIN_ENDPOINT: gateway.httpEndpoint ?? '' };
  const answer = await withBoto3(prelude + script, { bucket, keyFile }, { env: httpEndpoint });
  await gateway.stop(1_000);
  return answer;
}

const readingRules = `
put('secret', **key)
put('plain')
at = lambda name, **more: {'Bucket': bucket, 'Key': name, **more}
answer = [
    code(s3.get_object, **at('secret', **key)), code(s3.get_object, **at('secret')), code(s3.get_object, **at('secret', **other)),
    code(s3.head_object, **at('secret')), code(s3.get_object, **at('plain', **key)),
]`;

test.serial('reading an encrypted object without its key is refused as each server refuses it', async (t) => {
  t.deepEqual(await ask(t, 'rgw', readingRules), ['OK', 'InvalidArgument', 'InvalidArgument', '400', 'OK']);
  t.deepEqual(await ask(t, 'aws', readingRules), [
    'OK',
    'InvalidRequest',
    'AccessDenied',
    '400',
    'InvalidRequest',
  ]);
});

test.serial('a customer key is refused over plain http', async (t) => {
  const script = `
plain = boto3.client('s3', region_name='us-east-1', endpoint_url=os.environ['PLAIN_ENDPOINT'],
                     config=Config(s3={'addressing_style': 'path'}))
put('secret', **key)
headers = {'x-amz-server-side-encryption-customer-algorithm': 'AES256',
           'x-amz-server-side-encryption-customer-key': base64.b64encode(key['SSECustomerKey'].encode()).decode(),
           'x-amz-server-side-encryption-customer-key-MD5':
               base64.b64encode(hashlib.md5(key['SSECustomerKey'].encode()).digest()).decode()}
def change(request, **rest):
    for name, value in headers.items():
        request.headers[name] = value
answer = [code(plain.put_object, Bucket=bucket, Key='plain', Body=b'x'), code(plain.get_object, Bucket=bucket, Key='secret')]
plain.meta.events.register('before-sign.s3', change)
answer += [code(plain.put_object, Bucket=bucket, Key='new', Body=b'x'), code(plain.get_object, Bucket=bucket, Key='secret')]
`;
  t.deepEqual(await ask(t, 'rgw', script), ['OK', 'InvalidRequest', 'InvalidRequest', 'InvalidRequest']);
});

const copyRules = `
put('secret', **key)
put('plain')
def copy(name, to, **more):
    return code(s3.copy_object, Bucket=bucket, Key=to, CopySource={'Bucket': bucket, 'Key': name}, **more)
answer = [copy('plain', 'a'), copy('secret', 'b', **key, **source), copy('plain', 'c', **key),
          'SSECustomerAlgorithm' in s3.head_object(Bucket=bucket, Key='c', **(key if given['aws'] else {}))]`;

test.serial('encrypted objects are copied by AWS; RGW refuses, and copies plain ones plainly', async (t) => {
  const as = (aws: string) => copyRules.replace("given['aws']", aws);
  t.deepEqual(await ask(t, 'rgw', as('False')), ['OK', 'NotImplemented', 'OK', false]);
  t.deepEqual(await ask(t, 'aws', as('True')), ['OK', 'OK', 'OK', true]);
});

const uploadRules = `
import os
put('secret', b's' * 100, **key)
put('plain', b'p' * 100)
def begin(name):
    return s3.create_multipart_upload(Bucket=bucket, Key=name, **key)['UploadId']
upload = begin('whole')
at = {'Bucket': bucket, 'Key': 'whole', 'UploadId': upload}
big = os.urandom(5 * 1024 * 1024)
first = s3.upload_part(**at, PartNumber=1, Body=big, **key)['ETag']
def copied(name, **more):
    return s3.upload_part_copy(**at, PartNumber=2, CopySource={'Bucket': bucket, 'Key': name}, **key, **more)['CopyPartResult']['ETag']
wrong = code(s3.upload_part_copy, **at, PartNumber=2, CopySource={'Bucket': bucket, 'Key': 'other'}, **key, **source) \\
    if put('other', **other) else None
copied('plain')
second = copied('secret', CopySourceRange='bytes=1-16', **source)
extra = s3.upload_part(**at, PartNumber=3, Body=b'extra', **key)
parts = [{'PartNumber': 1, 'ETag': first}, {'PartNumber': 2, 'ETag': second}]
def complete(parts):
    return code(s3.complete_multipart_upload, **at, MultipartUpload={'Parts': parts})
three = {'PartNumber': 3, 'ETag': extra['ETag']}
answer = [wrong, code(s3.upload_part, **at, PartNumber=4, Body=b'x'), code(s3.upload_part, **at, PartNumber=4, Body=b'x', **other),
          complete(parts[::-1]), complete(parts + [three]), complete([parts[0], {**parts[1], 'ETag': '"0"'}]), complete(parts)]
if answer[-1] != 'OK':
    s3.upload_part(**at, PartNumber=3, Body=b'', **key)
content = s3.get_object(Bucket=bucket, Key='whole', **key)['Body'].read() if answer[-1] == 'OK' else None
answer += [content == big + b's' * 16]`;

test.serial('uploads mix parts and copies, and are completed by the rules of each server', async (t) => {
  t.deepEqual(await ask(t, 'rgw', uploadRules), [
    ...['InvalidArgument', 'InvalidArgument', 'InvalidArgument'],
    ...['InvalidPartOrder', 'EntityTooSmall', 'InvalidPart', 'InvalidPart', false],
  ]);
  t.deepEqual(await ask(t, 'aws', uploadRules), [
    ...['AccessDenied', 'InvalidRequest', 'InvalidRequest'],
    ...['InvalidPartOrder', 'EntityTooSmall', 'InvalidPart', 'OK', true],
  ]);
});

const policyRules = `
name = 's3:x-amz-server-side-encryption'
def under(condition):
    statement = {'Effect': 'Deny', 'Principal': '*', 'Action': 's3:PutObject',
                 'Resource': 'arn:aws:s3:::%s/*' % bucket, 'Condition': condition}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({'Version': '2012-10-17', 'Statement': [statement]}))
    return [code(put, name='x'), code(put, name='x', **key), code(put, name='x', ServerSideEncryption='AES256', **key),
            code(s3.create_multipart_upload, Bucket=bucket, Key='x', **key)]
answer = [under({'StringNotEquals': {name: 'AES256'}}), under({'Null': {name: 'true'}}),
          under({'Null': {name + '-customer-algorithm': 'true'}})]
s3.delete_bucket_policy(Bucket=bucket)
answer.append(code(s3.get_bucket_policy, Bucket=bucket))`;

test.serial('force-encryption policies do what they do on each server', async (t) => {
  const denied = 'AccessDenied';
  t.deepEqual(await ask(t, 'rgw', policyRules), [
    ['OK', 'OK', 'OK', 'OK'],
    [denied, denied, 'OK', denied],
    [denied, denied, denied, denied],
    'NoSuchBucketPolicy',
  ]);
  t.deepEqual(await ask(t, 'aws', policyRules), [
    [denied, denied, 'InvalidArgument', denied],
    [denied, denied, 'InvalidArgument', denied],
    [denied, 'OK', 'InvalidArgument', 'OK'],
    'NoSuchBucketPolicy',
  ]);
});

test.serial('buckets are listed, located, and deleted only when they are empty', async (t) => {
  const script = `
s3.create_bucket(Bucket='located', CreateBucketConfiguration={'LocationConstraint': ':cou'})
put('file')
answer = [sorted(item['Name'] for item in s3.list_buckets()['Buckets']) == sorted([bucket, 'located']),
          s3.get_bucket_location(Bucket='located')['LocationConstraint'],
          code(s3.delete_bucket, Bucket=bucket), code(s3.delete_bucket, Bucket='located'), code(s3.head_bucket, Bucket='located'),
          code(s3.create_bucket, Bucket=bucket), code(s3.put_bucket_versioning, Bucket=bucket,
          VersioningConfiguration={'Status': 'Enabled'})]`;
  const common = [true, ':cou', 'BucketNotEmpty', 'OK', '404'];
  t.deepEqual(await ask(t, 'rgw', script), [...common, 'OK', 'NotImplemented']);
  t.deepEqual(await ask(t, 'aws', script), [...common, 'BucketAlreadyOwnedByYou', 'NotImplemented']);
});
