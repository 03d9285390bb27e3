// Who gets in and with what body, with requests as several clients make them and as nobody should.
import { createHash, createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import https from 'node:https';
import { PutObjectCommand, CreateBucketCommand, GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import test from 'ava';
import type { FlavorName } from '../../../src/gateway/flavor.js';
import { python, withBoto3 } from '../../mount/bucket.js';
import { runOk } from '../../mount/child.js';
import type { Scope } from '../../mount/temporary.js';
import { connectToGateway, runGateway, silentLog } from '../running-gateway.js';

const Bucket = 'signed';

async function begin(scope: Scope, flavor: FlavorName, now?: () => number) {
  const gateway = await runGateway(scope, flavor, { ...(now && { now }), log: silentLog });
  const { client } = await connectToGateway();
  await client.send(new CreateBucketCommand({ Bucket }));
  return { gateway, client };
}

/** By boto3, with the variables of this process; the code of each refusal. */
async function codes(script: string): Promise<unknown> {
  const program = `
import urllib.request, urllib.error, ssl, re
def code(operation, **arguments):
    try:
        operation(**arguments)
    except ClientError as error:
        return error.response['Error']['Code']
    return 'OK'
def client(**options):
    config = Config(**{'s3': {'addressing_style': 'path'}, 'retries': {'max_attempts': 1}, **options.pop('config', {})})
    return boto3.client('s3', region_name='us-east-1', endpoint_url=os.environ['AWS_ENDPOINT_URL'],
                        verify=os.environ['AWS_CA_BUNDLE'], config=config, **options)
trusted = ssl.create_default_context(cafile=os.environ['AWS_CA_BUNDLE'])
def fetch(url, method='GET', data=None):
    try:
        return urllib.request.urlopen(urllib.request.Request(url, method=method, data=data), context=trusted).status
    except urllib.error.HTTPError as error:
        return ''.join(re.findall('<Code>(.*?)</Code>', error.read().decode()))
${script}`;
  return withBoto3(program, { bucket: Bucket });
}

test.serial('only the right access key gets in', async (t) => {
  await begin(t, 'rgw');
  const answer = await codes(`
from botocore import UNSIGNED
secret = os.environ['AWS_SECRET_ACCESS_KEY']
answer = [
    code(client().list_buckets),
    code(client(aws_access_key_id='NOBODY', aws_secret_access_key=secret).list_buckets),
    code(client(aws_access_key_id=os.environ['AWS_ACCESS_KEY_ID'], aws_secret_access_key=secret[:-1] + '~').list_buckets),
    code(client(config={'signature_version': UNSIGNED}).list_objects, Bucket=bucket),
]`);
  t.deepEqual(answer, ['OK', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'AccessDenied']);
});

test.serial('a request from another time is refused', async (t) => {
  for (const minutes of [-20, 20]) {
    const gateway = await runGateway(t, 'rgw', { now: () => Date.now() + minutes * 60_000 });
    t.is(await codes(`answer = code(client().list_buckets)`), 'RequestTimeTooSkewed');
    await gateway.stop(1_000);
  }
});

test.serial('presigned addresses work in both versions, until they are changed or expire', async (t) => {
  let aheadMs = 0;
  const { client } = await begin(t, 'rgw', () => Date.now() + aheadMs);
  await client.send(new PutObjectCommand({ Bucket, Key: 'a b/ü+&', Body: 'content' }));
  const script = `
answer = []
for version in ['s3', 's3v4']:
    signer = client(config={'signature_version': version})
    url = signer.generate_presigned_url('get_object', Params={'Bucket': bucket, 'Key': 'a b/ü+&'}, ExpiresIn=60)
    put = signer.generate_presigned_url('put_object', Params={'Bucket': bucket, 'Key': 'put ' + version}, ExpiresIn=60)
    answer += [fetch(url), fetch(url.replace('/a%20b', '/b')), fetch(url.replace('Expires=', 'Expires=1')), fetch(put, 'PUT')]`;
  const refused = 'SignatureDoesNotMatch';
  t.deepEqual(await codes(script), [200, refused, refused, 200, 200, refused, refused, 200]);
  aheadMs = 10 * 60_000;
  const late = (await codes(script)) as string[];
  t.deepEqual([late[0], late[4]], ['AccessDenied', 'AccessDenied']);
});

test.serial('a body that is not the one that was signed, or has another MD5, is not stored', async (t) => {
  await begin(t, 'rgw');
  const answer = await codes(`
def put(headers):
    other = client()
    def change(request, **rest):
        for name, value in headers.items():
            del request.headers[name]
            request.headers[name] = value
    other.meta.events.register('before-sign.s3.PutObject', change)
    return code(other.put_object, Bucket=bucket, Key='file', Body=b'content')
def put_changed(body):
    other = client(config={'s3': {'addressing_style': 'path', 'payload_signing_enabled': True}})
    def change(request, **rest):
        request.body = body
    def without_md5(request, **rest):
        del request.headers['Content-MD5']
    other.meta.events.register('before-sign.s3.PutObject', without_md5)
    other.meta.events.register('before-send.s3.PutObject', change)
    return code(other.put_object, Bucket=bucket, Key='file', Body=b'content')
wrong = base64.b64encode(b'0' * 16).decode()
answer = [
    put({'Content-MD5': wrong}), put({'Content-MD5': 'x'}),
    put_changed(b'CONTENT'), put_changed(b'content'),
    [item['Key'] for item in listed()],
]`);
  t.deepEqual(answer, ['BadDigest', 'InvalidDigest', 'XAmzContentSHA256Mismatch', 'OK', ['file']]);
});

test.serial('boto 2 signs by version 2, which RGW accepts and AWS refuses', async (t) => {
  const program = `
import os, sys, warnings
from urllib.parse import urlparse
warnings.simplefilter('ignore')
import boto, boto.s3.connection
endpoint = urlparse(os.environ['AWS_ENDPOINT_URL'])
connection = boto.connect_s3(os.environ['AWS_ACCESS_KEY_ID'], os.environ['AWS_SECRET_ACCESS_KEY'],
    host=endpoint.hostname, port=endpoint.port, is_secure=True,
    calling_format=boto.s3.connection.OrdinaryCallingFormat())
try:
    bucket = connection.get_bucket('signed')
    key = bucket.new_key('a b/ü+')
    key.set_metadata('note', 'text')
    key.set_contents_from_string('content')
    again = bucket.get_key('a b/ü+')
    upload = bucket.initiate_multipart_upload('big')
    from io import BytesIO
    upload.upload_part_from_file(BytesIO(b'part'), 1)
    upload.complete_upload()
    names = [item.name for item in bucket.list(prefix='', delimiter='/')]
    print(again.get_contents_as_string().decode(), again.get_metadata('note'), names,
          bucket.get_key('big').get_contents_as_string().decode())
except boto.exception.S3ResponseError as error:
    print(error.status)
`;
  for (const [flavor, expected] of [
    ['rgw', "content text ['big', 'a b/'] part"],
    ['aws', '400'],
  ] as const) {
    const { gateway } = await begin(t, flavor);
    const env = { SSL_CERT_FILE: gateway.authorityFile };
    t.is((await runOk(python, ['-c', program], { env })).trim(), expected);
    await gateway.stop(1_000);
  }
});

test.serial("the SDK's own checksums are MissingContentLength on RGW, and are verified on AWS", async (t) => {
  for (const flavor of ['rgw', 'aws'] as const) {
    const { gateway, client } = await begin(t, flavor);
    const { requestHandler, credentials } = client.config;
    const shared = { region: 'us-east-1', endpoint: gateway.endpoint, forcePathStyle: true };
    const modern = new S3Client({ ...shared, requestHandler, credentials, maxAttempts: 1 });
    const { Readable } = await import('node:stream');
    const Body = () => Readable.from([Buffer.alloc(300_000, 'a'), Buffer.from('end')], { objectMode: false });
    for (const ChecksumAlgorithm of ['CRC32', 'SHA256'] as const) {
      const put = modern.send(
        new PutObjectCommand({
          Bucket,
          Key: ChecksumAlgorithm,
          Body: Body(),
          ContentLength: 300_003,
          ChecksumAlgorithm,
        }),
      );
      if (flavor === 'rgw') {
        await t.throwsAsync(put, { name: 'MissingContentLength' });
        continue;
      }
      t.truthy((await put)[`Checksum${ChecksumAlgorithm}`]);
      const read = await client.send(new GetObjectCommand({ Bucket, Key: ChecksumAlgorithm }));
      t.is((await read.Body!.transformToString()).length, 300_003);
      t.is(read.ContentEncoding, undefined);
    }
    if (flavor === 'aws') {
      const wrong = new PutObjectCommand({ Bucket, Key: 'wrong', Body: 'x', ChecksumCRC32: 'AAAAAA==' });
      await t.throwsAsync(modern.send(wrong), { name: 'BadDigest' });
    }
    await gateway.stop(1_000);
  }
});

test.serial('signed chunks are decoded, and refused if one was changed', async (t) => {
  const { gateway, client } = await begin(t, 'rgw');
  const { accessKeyId, secretAccessKey } = gateway.accessKey;
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');
  const send = async (path: string, change: (body: string) => string) => {
    const { host } = new URL(gateway.endpoint);
    const dateTime = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
    const date = dateTime.slice(0, 8);
    const scope = `${date}/us-east-1/s3/aws4_request`;
    const chunks = ['a'.repeat(70_000), 'bc', ''];
    const headers: Record<string, string> = {
      host,
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'x-amz-date': dateTime,
      'x-amz-decoded-content-length': '70002',
    };
    const names = Object.keys(headers).sort();
    const lines = names.map((name) => `${name}:${headers[name]}\n`).join('');
    const canonical = ['PUT', path, '', lines, names.join(';'), headers['x-amz-content-sha256']].join('\n');
    const key = ['us-east-1', 's3', 'aws4_request'].reduce(
      hmac,
      hmac(`AWS4${secretAccessKey}`, date),
    ) as Buffer;
    const seed = hmac(key, ['AWS4-HMAC-SHA256', dateTime, scope, sha256(canonical)].join('\n')).toString(
      'hex',
    );
    let previous = seed;
    let body = '';
    for (const chunk of chunks) {
      const text = ['AWS4-HMAC-SHA256-PAYLOAD', dateTime, scope, previous, sha256(''), sha256(chunk)].join(
        '\n',
      );
      previous = hmac(key, text).toString('hex');
      body += `${chunk.length.toString(16)};chunk-signature=${previous}\r\n${chunk}\r\n`;
    }
    headers['authorization'] =
      `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope},SignedHeaders=${names.join(';')},Signature=${seed}`;
    const sent = change(body);
    headers['content-length'] = String(sent.length);
    const ca = await readFile(gateway.authorityFile);
    return new Promise<number | undefined>((resolve, reject) => {
      const request = https.request(gateway.endpoint + path, { method: 'PUT', headers, ca }, (reply) => {
        reply.resume();
        resolve(reply.statusCode);
      });
      request.on('error', reject);
      request.end(sent);
    });
  };
  t.is(await send(`/${Bucket}/chunks`, (body) => body), 200);
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'chunks' }));
  t.is(await Body!.transformToString(), `${'a'.repeat(70_000)}bc`);
  t.is(await send(`/${Bucket}/changed`, (body) => body.replace('bc\r', 'bd\r')), 403);
  t.is(await send(`/${Bucket}/cut`, (body) => body.slice(0, 70_000)), 400);
  const missing = { name: 'NoSuchKey' };
  for (const Key of ['changed', 'cut'])
    await t.throwsAsync(client.send(new GetObjectCommand({ Bucket, Key })), missing);
});
