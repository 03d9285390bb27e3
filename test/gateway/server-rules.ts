/**
 * The rules in which RGW and AWS differ, and those of SSE-C: for each a script for boto3, which shares no code with the
 * gateway's other clients, and what either server answers to it.
 */
import type { FlavorName } from '../../src/gateway/flavor.js';
import { withBoto3 } from '../mount/bucket.js';
import type { KeyFile } from '../mount/temporary.js';

/** The title is a sentence. A rule without `ceph18` or `aws` is as `rgw`. */
interface ServerRule {
  readonly title: string;
  readonly script: string;
  readonly rgw: readonly unknown[];
  readonly ceph18?: readonly unknown[];
  readonly aws?: readonly unknown[];
}

interface Place {
  /** An empty one of its own. */
  readonly bucket: string;
  readonly keyFile: KeyFile;
  readonly httpEndpoint: string;
  readonly [input: string]: unknown;
}

export function expectedOf(rule: ServerRule, flavor: FlavorName): readonly unknown[] {
  return rule[flavor] ?? rule.rgw;
}

/** Asks the server that the AWS variables lead to. */
export function askServer(script: string, flavor: FlavorName, place: Place): Promise<unknown> {
  const { httpEndpoint, ...inputs } = place;
  return withBoto3(prelude + script, { ...inputs, flavor }, { env: { PLAIN_ENDPOINT: httpEndpoint } });
}

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

const denied = 'AccessDenied';

export const serverRules: readonly ServerRule[] = [
  {
    title: 'reading an encrypted object without its key is refused as each server refuses it',
    script: `
put('secret', **key)
put('plain')
at = lambda name, **more: {'Bucket': bucket, 'Key': name, **more}
answer = [
    code(s3.get_object, **at('secret', **key)), code(s3.get_object, **at('secret')), code(s3.get_object, **at('secret', **other)),
    code(s3.head_object, **at('secret')), code(s3.get_object, **at('plain', **key)),
]`,
    rgw: ['OK', 'InvalidArgument', 'InvalidArgument', '400', 'OK'],
    aws: ['OK', 'InvalidRequest', 'AccessDenied', '400', 'InvalidRequest'],
  },
  {
    title: 'a customer key is refused over plain http',
    script: `
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
answer += [code(plain.put_object, Bucket=bucket, Key='new', Body=b'x'), code(plain.get_object, Bucket=bucket, Key='secret')]`,
    rgw: ['OK', 'InvalidRequest', 'InvalidRequest', 'InvalidRequest'],
  },
  {
    title: 'encrypted objects are copied by AWS; RGW refuses, and copies plain ones plainly',
    script: `
put('secret', **key)
put('plain')
def copy(name, to, **more):
    return code(s3.copy_object, Bucket=bucket, Key=to, CopySource={'Bucket': bucket, 'Key': name}, **more)
answer = [copy('plain', 'a'), copy('secret', 'b', **key, **source), copy('plain', 'c', **key),
          'SSECustomerAlgorithm' in s3.head_object(Bucket=bucket, Key='c', **(key if given['flavor'] == 'aws' else {}))]`,
    rgw: ['OK', 'NotImplemented', 'OK', false],
    aws: ['OK', 'OK', 'OK', true],
  },
  {
    title: 'uploads mix parts and copies, and are completed by the rules of each server',
    script: `
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
          complete([three] + parts[::-1]), complete(parts + [three]), complete([parts[0], {**parts[1], 'ETag': '"0"'}]), complete(parts)]
if answer[-1] != 'OK':
    s3.upload_part(**at, PartNumber=3, Body=b'', **key)
content = s3.get_object(Bucket=bucket, Key='whole', **key)['Body'].read() if answer[-1] == 'OK' else None
answer += [content == big + b's' * 16]`,
    rgw: [
      ...['InvalidArgument', 'InvalidArgument', 'InvalidArgument'],
      ...['EntityTooSmall', 'EntityTooSmall', 'InvalidPart', 'InvalidPart', false],
    ],
    aws: [
      ...['AccessDenied', 'InvalidRequest', 'InvalidRequest'],
      ...['InvalidPartOrder', 'EntityTooSmall', 'InvalidPart', 'OK', true],
    ],
  },
  {
    title: 'the key of the source of a copied part is decoded twice by RGW, any other source once',
    script: `
names = ['a%20b', 'a b', 'cut%4', 'cut', 'x?versionId=null', 'x', 'x?versionId=other', 'lone%20', '%FF']
for name in names:
    put(name, name.encode())
named = {hashlib.md5(name.encode()).hexdigest(): name for name in names}
upload = s3.create_multipart_upload(Bucket=bucket, Key='target')['UploadId']
def taken(operation, result, name, **more):
    try:
        reply = operation(Bucket=bucket, Key='target', CopySource={'Bucket': bucket, 'Key': name}, **more)
    except ClientError as error:
        return error.response['Error']['Code']
    return named[reply[result]['ETag'].strip('"')]
asked = [name for name in names if name not in ('a b', 'cut', 'x')]
answer = [[taken(s3.upload_part_copy, 'CopyPartResult', name, UploadId=upload, PartNumber=1) for name in asked],
          [taken(s3.copy_object, 'CopyObjectResult', name) for name in asked] == asked]`,
    rgw: [['a b', 'cut', 'x', 'NoSuchKey', 'NoSuchKey', 'NoSuchKey'], true],
    aws: [['a%20b', 'cut%4', 'x?versionId=null', 'x?versionId=other', 'lone%20', '%FF'], true],
  },
  {
    title: 'force-encryption policies do what they do on each server',
    script: `
name = 's3:x-amz-server-side-encryption'
# RGW takes what follows a denied PUT on the same connection for its body, and waits for the rest of it.
def asked(operation, **arguments):
    s3.close()
    return code(operation, **arguments)
def under(condition):
    statement = {'Effect': 'Deny', 'Principal': '*', 'Action': 's3:PutObject',
                 'Resource': 'arn:aws:s3:::%s/*' % bucket, 'Condition': condition}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({'Version': '2012-10-17', 'Statement': [statement]}))
    return [asked(put, name='x'), asked(put, name='x', **key), asked(put, name='x', ServerSideEncryption='AES256', **key),
            asked(s3.create_multipart_upload, Bucket=bucket, Key='x', **key)]
answer = [under({'StringNotEquals': {name: 'AES256'}}), under({'Null': {name: 'true'}}),
          under({'Null': {name + '-customer-algorithm': 'true'}})]
s3.delete_bucket_policy(Bucket=bucket)
answer.append(code(s3.get_bucket_policy, Bucket=bucket))`,
    rgw: [
      ['OK', 'OK', 'OK', 'OK'],
      [denied, denied, 'OK', denied],
      [denied, denied, denied, denied],
      'NoSuchBucketPolicy',
    ],
    ceph18: [
      ['OK', 'OK', 'InvalidArgument', 'OK'],
      [denied, denied, 'InvalidArgument', denied],
      [denied, denied, 'InvalidArgument', denied],
      'NoSuchBucketPolicy',
    ],
    aws: [
      [denied, denied, 'InvalidArgument', denied],
      [denied, denied, 'InvalidArgument', denied],
      [denied, 'OK', 'InvalidArgument', 'OK'],
      'NoSuchBucketPolicy',
    ],
  },
  {
    // AWS has keys of its own for this; the embedded gateway has none.
    title:
      'encryption under a key of the server, which has none, is ignored or refused as each server does it',
    script: `
answer = [code(put, name='x', ServerSideEncryption='AES256'), code(put, name='x', ServerSideEncryption='aws:kms'),
          code(s3.create_multipart_upload, Bucket=bucket, Key='x', ServerSideEncryption='AES256')]`,
    rgw: ['OK', 'InvalidArgument', 'OK'],
    ceph18: ['InvalidArgument', 'InvalidArgument', 'InvalidArgument'],
    aws: ['NotImplemented', 'NotImplemented', 'NotImplemented'],
  },
  {
    title: 'HEAD tells in which second an object was stored, a listing perhaps more',
    script: `
for number in range(10): put(str(number))
listed = [item['LastModified'] for item in s3.list_objects_v2(Bucket=bucket)['Contents']]
told = [s3.head_object(Bucket=bucket, Key=str(number))['LastModified'] for number in range(10)]
answer = [[time.replace(microsecond=0) for time in listed] == told, listed == told]`,
    rgw: [true, false],
    aws: [true, true],
  },
  {
    title: 'buckets are listed, and deleted only when they are empty',
    script: `
second = bucket + '-second'
s3.create_bucket(Bucket=second)
put('file')
answer = [{bucket, second} <= {item['Name'] for item in s3.list_buckets()['Buckets']},
          code(s3.delete_bucket, Bucket=bucket), code(s3.delete_bucket, Bucket=second), code(s3.head_bucket, Bucket=second),
          code(s3.create_bucket, Bucket=bucket)]`,
    rgw: [true, 'BucketNotEmpty', 'OK', '404', 'OK'],
    aws: [true, 'BucketNotEmpty', 'OK', '404', 'BucketAlreadyOwnedByYou'],
  },
];

/** Asks for a bucket in `given['placement']`, and for what the embedded gateway does not have. */
export const placementScript = `
placed = bucket + '-placed'
s3.create_bucket(Bucket=placed, CreateBucketConfiguration={'LocationConstraint': given['placement']})
answer = [s3.get_bucket_location(Bucket=placed)['LocationConstraint'],
          code(s3.put_bucket_versioning, Bucket=placed, VersioningConfiguration={'Status': 'Enabled'})]
s3.delete_bucket(Bucket=placed)`;

/** Not to be asked of RGW, which aborts at either name. */
export const abortingScript = `
put('95% CI.dat')
put('%')
upload = s3.create_multipart_upload(Bucket=bucket, Key='target')['UploadId']
answer = [code(s3.upload_part_copy, Bucket=bucket, Key='target', UploadId=upload, PartNumber=1,
               CopySource={'Bucket': bucket, 'Key': name}) for name in ('95% CI.dat', '%')]`;
