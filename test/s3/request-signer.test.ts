import { createHmac, hash } from 'node:crypto';
import test from 'ava';
import type { HeaderField } from '../../src/http/connection.js';
import { RequestSigner } from '../../src/s3/request-signer.js';
import { emptySha256 } from '../../src/signature-v4.js';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
const credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const timeMs = Date.UTC(2013, 4, 24);
const host: HeaderField = ['host', 'examplebucket.s3.amazonaws.com'];

function valueOf(headers: readonly HeaderField[], wanted: string): string | undefined {
  return headers.find(([name]) => name === wanted)?.[1];
}

function signatureOf(headers: readonly HeaderField[]): string | undefined {
  return /Signature=([0-9a-f]{64})$/.exec(valueOf(headers, 'authorization') ?? '')?.[1];
}

test('a GET of a range is signed as in the documentation', (t) => {
  const headers = new RequestSigner('us-east-1').sign(
    {
      method: 'GET',
      path: '/test.txt',
      query: '',
      headers: [host, ['range', 'bytes=0-9']],
      bodySha256: emptySha256,
    },
    credentials,
    timeMs,
  );
  t.is(signatureOf(headers), 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41');
  t.is(valueOf(headers, 'x-amz-date'), '20130524T000000Z');
});

test('a PUT with an encoded key and a hash of its body is signed as in the documentation', (t) => {
  const headers = new RequestSigner('us-east-1').sign(
    {
      method: 'PUT',
      path: '/test%24file.text',
      query: '',
      headers: [
        host,
        ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
        ['date', 'Fri, 24 May 2013 00:00:00 GMT'],
      ],
      bodySha256: '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    },
    credentials,
    timeMs,
  );
  t.is(signatureOf(headers), '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd');
});

test('the day, the secret and a session token all count', (t) => {
  const signer = new RequestSigner('us-east-1');
  const request = { method: 'HEAD', path: '/k', query: '', headers: [host], bodySha256: emptySha256 };
  const variants = [
    signer.sign(request, credentials, timeMs),
    signer.sign(request, credentials, timeMs + 24 * 3600 * 1000),
    signer.sign(request, { ...credentials, secretAccessKey: 'another' }, timeMs),
    signer.sign(request, { ...credentials, sessionToken: 'token' }, timeMs),
    new RequestSigner('eu-west-1').sign(request, credentials, timeMs),
    signer.sign({ ...request, query: 'partNumber=1&uploadId=2' }, credentials, timeMs),
  ];
  t.is(new Set(variants.map(signatureOf)).size, variants.length);
  t.is(valueOf(variants[3] ?? [], 'x-amz-security-token'), 'token');
  t.deepEqual(signer.sign(request, credentials, timeMs), variants[0]);
});

test('what is signed are the bytes that are sent, the last one A0 among them', (t) => {
  const value = Buffer.from('Jürgen à', 'utf8').toString('latin1'); // as a reply's header says it
  const headers = new RequestSigner('us-east-1').sign(
    {
      method: 'PUT',
      path: '/k',
      query: '',
      headers: [host, ['x-amz-meta-a', value]],
      bodySha256: emptySha256,
    },
    credentials,
    timeMs,
  );
  const canonical = Buffer.concat([
    Buffer.from(
      `PUT\n/k\n\nhost:${host[1]}\nx-amz-content-sha256:${emptySha256}\nx-amz-date:20130524T000000Z\n`,
    ),
    Buffer.from('x-amz-meta-a:Jürgen à\n', 'utf8'),
    Buffer.from(`\nhost;x-amz-content-sha256;x-amz-date;x-amz-meta-a\n${emptySha256}`),
  ]);
  const scope = '20130524/us-east-1/s3/aws4_request';
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${credentials.secretAccessKey}`);
  const text = `AWS4-HMAC-SHA256\n20130524T000000Z\n${scope}\n${hash('sha256', canonical)}`;
  t.is(signatureOf(headers), hmac(key, text).toString('hex'));
});

test('spaces in values do not count where HTTP may change them', (t) => {
  const signer = new RequestSigner('us-east-1');
  const sign = (value: string) =>
    signatureOf(
      signer.sign(
        {
          method: 'PUT',
          path: '/k',
          query: '',
          headers: [host, ['x-amz-meta-a', value]],
          bodySha256: emptySha256,
        },
        credentials,
        timeMs,
      ),
    );
  t.is(sign('  a   b '), sign('a b'));
  t.not(sign('ab'), sign('a b'));
});
