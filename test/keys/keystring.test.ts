import { randomBytes } from 'node:crypto';
import test from 'ava';
import { parseKeystring } from '../../src/keys/keystring.js';
import { fc } from '../seed.js';

const text = 'abcdefghijklmnopqrstuvwxyz012345';
const key = Buffer.from([...Array.from({ length: 32 }, (_, index) => (index * 37 + 128) % 256)]);

function bytesOf(content: Buffer | string): Buffer | undefined {
  const keystring = parseKeystring(Buffer.from(content));
  return keystring.form === 'none' ? undefined : keystring.bytes;
}

function foundIn(content: Buffer | string): string {
  const keystring = parseKeystring(Buffer.from(content));
  return keystring.form === 'none' ? keystring.found : `a key (${keystring.form})`;
}

test('32 bytes are the key itself, whatever they are', (t) => {
  t.deepEqual(bytesOf(key), key);
  t.is(parseKeystring(key).form, 'raw');
  const endsInNewline = Buffer.from(`${text.slice(1)}\n`);
  t.deepEqual(bytesOf(endsInNewline), endsInNewline);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) =>
      Buffer.from(bytes).equals(bytesOf(Buffer.from(bytes)) ?? Buffer.alloc(0)),
    ),
  );
});

test('32 characters of text are the key with and without a newline at the end', (t) => {
  for (const content of [text, `${text}\n`, `${text}\r\n`])
    t.deepEqual(bytesOf(content), Buffer.from(text), content);
});

test('base64 and hexadecimal digits are decoded with and without a newline at the end', (t) => {
  for (const encoded of [key.toString('base64'), key.toString('hex'), key.toString('hex').toUpperCase()]) {
    for (const end of ['', '\n', '\r\n']) t.deepEqual(bytesOf(encoded + end), key, encoded + end);
  }
});

test('every encoding of a random key gives that key', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      const secret = Buffer.from(bytes);
      t.deepEqual(bytesOf(secret.toString('base64')), secret);
      t.deepEqual(bytesOf(secret.toString('hex')), secret);
    }),
    { numRuns: 50 },
  );
});

test('anything else is refused with its length and kind', (t) => {
  const cases: (readonly [string | Buffer, string])[] = [
    ['', 'nothing: the file is empty'],
    ['\n', '0 characters of text and a final newline'],
    ['x', '1 character of text without a final newline'],
    [`${text}x`, '33 characters of text without a final newline'],
    [`${text}\n\n`, '34 bytes of text in several lines'],
    [`${text}\n${text}\n`, '66 bytes of text in several lines'],
    [text.slice(1), '31 characters of text without a final newline'],
    [Buffer.concat([key, Buffer.from('\n')]), '33 bytes that are not all printable ASCII'],
    [Buffer.concat([key, key]), '64 bytes that are not all printable ASCII'],
    [key.subarray(1), '31 bytes that are not all printable ASCII'],
    [`${'ä'.repeat(32)}\n`, '65 bytes that are not all printable ASCII'],
    [`${key.toString('hex').slice(0, -1)}x`, '64 characters of text without a final newline'],
    [`${key.toString('base64url')}=`, '44 characters of text without a final newline'],
    [randomBytes(33).toString('base64'), '44 characters of text without a final newline'],
    // 44 characters whose last digit has bits that 32 bytes have no room for.
    [`${'A'.repeat(42)}B=`, '44 characters of text without a final newline'],
  ];
  for (const [content, found] of cases) t.is(foundIn(content), found);
});

test('what is found never shows the content', (t) => {
  fc.assert(
    fc.property(fc.string({ minLength: 4, maxLength: 80 }), (content) => {
      const found = foundIn(`!${content}!`);
      t.false(found.includes(`!${content}`));
    }),
  );
});
