// The example of OSiRIS's documentation (https://www.osris.org/documentation/encryption.html), with its boto of the time:
// a keystring of 32 characters in a file, the SSE-C headers made by hand, and encrypt_key=True, which Ceph 18 refuses beside them.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runOk } from '../mount/child.js';
import { makeBucket, python } from '../mount/bucket.js';
import { mountBucket } from '../mount/mounting.js';
import { serverUnderTest } from '../mount/server.js';
import { makeDirectory, makeKeyFile, type KeyFile } from '../mount/temporary.js';
import { cephTest } from './ceph-test.js';

const program = `
import base64, hashlib, os, sys, warnings
from copy import copy
from urllib.parse import urlparse
warnings.simplefilter('ignore')
import boto, boto.s3.connection

verb, bucket_name, object_key, key_file, local_file = sys.argv[1:]
endpoint = urlparse(os.environ['AWS_ENDPOINT_URL'])
connection = boto.connect_s3(
    aws_access_key_id=os.environ['AWS_ACCESS_KEY_ID'], aws_secret_access_key=os.environ['AWS_SECRET_ACCESS_KEY'],
    host=endpoint.hostname, port=endpoint.port, is_secure=True,
    calling_format=boto.s3.connection.OrdinaryCallingFormat())

keystring = open(key_file).read().strip().encode()
headers = {
    'x-amz-server-side-encryption-customer-algorithm': 'AES256',
    'x-amz-server-side-encryption-customer-key': base64.b64encode(keystring).decode(),
    'x-amz-server-side-encryption-customer-key-MD5': base64.b64encode(hashlib.md5(keystring).digest()).decode(),
}
bucket = connection.get_bucket(bucket_name, validate=False)
key = bucket.new_key(object_key)
if verb.startswith('upload'):
    with open(local_file, 'rb') as file:
        key.set_contents_from_file(file, headers=copy(headers), encrypt_key=verb == 'upload')
else:
    key.get_contents_to_filename(local_file, headers=copy(headers))
`;

async function boto(
  verb: 'upload' | 'upload without encrypt_key' | 'download',
  bucket: string,
  objectKey: string,
  keyFile: KeyFile,
  localFile: string,
): Promise<void> {
  // This boto takes the trusted authorities from OpenSSL's own variable only.
  const env = { SSL_CERT_FILE: process.env['AWS_CA_BUNDLE'] };
  await runOk(python, ['-c', program, verb, bucket, objectKey, keyFile.path, localFile], { env });
}

cephTest(
  "what OSiRIS's boto example uploads reads through a mount with the example's key file",
  async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    await writeFile(keyFile.path, `${keyFile.keystring}\n`);
    const local = path.join(await makeDirectory(t), 'upload.txt');
    await writeFile(local, 'measured at Ann Arbor\n'.repeat(5000));
    const example = boto('upload', bucket, 'test.txt', keyFile, local);
    if (serverUnderTest.rules === 'ceph18') {
      await t.throwsAsync(example, { message: /InvalidArgument.*can&apos;t do sse-c/s });
      await boto('upload without encrypt_key', bucket, 'test.txt', keyFile, local);
    } else {
      await example;
    }

    const mount = await mountBucket(t, { bucket, keyFile });
    t.is(await runOk('cmp', [local, path.join(mount.directory, 'test.txt')]), '');
    await mount.unmount();
  },
);

cephTest(
  "what was written through a mount reads by OSiRIS's boto example with the same key file",
  async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const directory = await makeDirectory(t);
    const local = path.join(directory, 'local.txt');
    await writeFile(local, 'measured at East Lansing\n'.repeat(5000));
    const mount = await mountBucket(t, { bucket, keyFile });
    await runOk('cp', [local, path.join(mount.directory, 'from mount.txt')]);
    await mount.unmount();

    const downloaded = path.join(directory, 'downloaded.txt');
    await boto('download', bucket, 'from mount.txt', keyFile, downloaded);
    t.is(await runOk('cmp', [local, downloaded]), '');
  },
);
