// The examples of S3's documentation, for signing and for checking.
import test from 'ava';
import {
  canonicalRequest,
  emptySha256,
  encodeUri,
  formatDateTime,
  scopeText,
  sha256Hex,
  signatureOf,
  signingKeyOf,
  stringToSign,
  unsignedPayload,
} from '../src/signature-v4.js';

const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const scope = { day: '20130524', region: 'us-east-1' };
const dateTime = '20130524T000000Z';
const host = ['host', 'examplebucket.s3.amazonaws.com'] as const;
const signedFields = [host, ['x-amz-content-sha256', emptySha256], ['x-amz-date', dateTime]] as const;
const get = { method: 'GET', path: '/', headers: signedFields, bodySha256: emptySha256 };

function sign(canonical: string): string {
  return signatureOf(
    signingKeyOf(secretAccessKey, scope),
    stringToSign(dateTime, scopeText(scope), canonical),
  );
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
for (const { query, canonicalSha256, signature } of [
  {
    query: 'lifecycle=',
    canonicalSha256: '9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca',
    signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  },
  {
    query: 'max-keys=2&prefix=J',
    canonicalSha256: 'df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7',
    signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  },
]) {
  test(`a GET of a bucket with ${query} has the documented signature`, (t) => {
    const canonical = canonicalRequest({ ...get, query });
    t.is(sha256Hex(canonical), canonicalSha256);
    t.is(sign(canonical), signature);
  });
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
test('a presigned address has the documented signature', (t) => {
  const fields = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `AKIAIOSFODNN7EXAMPLE/${scopeText(scope)}`,
    'X-Amz-Date': dateTime,
    'X-Amz-Expires': '86400',
    'X-Amz-SignedHeaders': 'host',
  };
  const query = Object.entries(fields)
    .map(([name, value]) => `${encodeUri(name)}=${encodeUri(value)}`)
    .join('&');
  const canonical = canonicalRequest({
    method: 'GET',
    path: '/test.txt',
    query,
    headers: [host],
    bodySha256: unsignedPayload,
  });
  t.is(sha256Hex(canonical), '3bfa292879f6447bbcda7001decf97f4a54dc650c8942174ae0a9121cf58ad04');
  t.is(sign(canonical), 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404');
});

test('the hash of nothing, and the form of a time', (t) => {
  t.is(emptySha256, sha256Hex(''));
  t.is(formatDateTime(Date.UTC(2013, 4, 24)), dateTime);
});

test('only the unreserved characters of RFC 3986 stay as they are', (t) => {
  t.is(encodeUri("aZ09-._~ !'()*/+%ü"), 'aZ09-._~%20%21%27%28%29%2A%2F%2B%25%C3%BC');
});
