import { createHash } from 'node:crypto';
import test from 'ava';
import { multipartEtag, quoteEtag, unquoteEtag } from '../../src/s3/etag.js';

test('quotes are taken off and put on again', (t) => {
  t.is(unquoteEtag('"abc"'), 'abc');
  t.is(unquoteEtag('abc'), 'abc');
  t.is(unquoteEtag('"'), '"');
  t.is(quoteEtag('abc'), '"abc"');
});

test("the ETag of a whole is the MD5 of its parts' MD5s and their number", (t) => {
  const md5 = (content: string) => createHash('md5').update(content).digest();
  const expected = createHash('md5').update(md5('one')).update(md5('two')).digest('hex');
  const parts = [
    { partNumber: 1, etag: md5('one').toString('hex') },
    { partNumber: 5, etag: md5('two').toString('hex') },
  ];
  t.is(multipartEtag(parts), `${expected}-2`);
});

test('part ETags that are no MD5s say nothing of the whole', (t) => {
  t.is(multipartEtag([{ partNumber: 1, etag: 'opaque' }]), undefined);
});
