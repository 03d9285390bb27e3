import test, { type ExecutionContext } from 'ava';
import { StoreError } from '../../src/errors.js';
import { parseListPage } from '../../src/s3/list-page.js';

const entry = { Size: 1, ETag: '"e"', LastModified: new Date(1_700_000_000_789) };
const reply = { $metadata: {}, Name: 'bucket', EncodingType: 'url' as const };

test("keys are decoded from the server's URL encoding, AWS's and Ceph's", (t) => {
  const page = parseListPage(
    {
      ...reply,
      Contents: [
        { ...entry, Key: 'a+b%2Bc%2Fd' },
        { ...entry, Key: 'a%20b%01%F0%9F%98%80' },
      ],
      CommonPrefixes: [{ Prefix: 'x+y%2F' }],
    },
    '',
  );
  t.deepEqual(
    page.objects.map(({ key }) => key),
    ['a b+c/d', 'a b\u0001\u{1f600}'],
  );
  t.deepEqual(page.prefixes, ['x y/']);
});

test('a key that is not UTF-8 does not make the rest unreadable', (t) => {
  const { objects } = parseListPage(
    {
      ...reply,
      Contents: [
        { ...entry, Key: 'a%FFb%20c' },
        { ...entry, Key: 'd' },
      ],
    },
    '',
  );
  t.deepEqual(
    objects.map(({ key }) => key),
    ['a\ufffdb c', 'd'],
  );
});

test('times are as exact as the server tells them', (t) => {
  const { objects } = parseListPage({ ...reply, Contents: [{ ...entry, Key: 'a' }] }, '');
  t.is(objects[0]?.lastModifiedMs, entry.LastModified.getTime());
  t.not(entry.LastModified.getTime() % 1000, 0);
  t.is(objects[0]?.etag, 'e');
});

test('a token is given only if the page is truncated, and then must be there', (t) => {
  t.is(
    parseListPage({ ...reply, IsTruncated: false, NextContinuationToken: 'x' }, '').continuationToken,
    undefined,
  );
  t.is(parseListPage({ ...reply, IsTruncated: true, NextContinuationToken: 'x' }, '').continuationToken, 'x');
  corrupt(t, { ...reply, IsTruncated: true });
});

test('a reply that is no listing is corrupt, not an empty bucket', (t) => {
  corrupt(t, { $metadata: {} });
  corrupt(t, { ...reply, Contents: [{ Key: 'a' }] });
  corrupt(t, { ...reply, CommonPrefixes: [{}] });
});

function corrupt(t: ExecutionContext, output: Parameters<typeof parseListPage>[0]): void {
  t.is(t.throws(() => parseListPage(output, 'p/'), { instanceOf: StoreError }).code, 'CorruptReply');
}
