import { createCipheriv, randomBytes } from 'node:crypto';
import test from 'ava';
import { encryptInThread } from '../../src/staging/cipher-thread.js';

function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

test('bytes are encrypted in place, each under its own counter', async (t) => {
  const key = randomBytes(32);
  await Promise.all(
    [1, 100, 256 * 1024, 0].map(async (length) => {
      const counter = randomBytes(16);
      const plain = randomBytes(length);
      const bytes = shared(plain);
      await encryptInThread(key, counter, bytes);
      t.true(createCipheriv('aes-256-ctr', key, counter).update(plain).equals(bytes));
    }),
  );
});

test('what cannot be encrypted is refused, and the thread goes on', async (t) => {
  const key = randomBytes(32);
  const bytes = shared(Buffer.from('plain'));
  await t.throwsAsync(encryptInThread(key, randomBytes(3), bytes), { message: /initialization vector/i });
  t.is(Buffer.from(bytes).toString(), 'plain');
  await encryptInThread(key, randomBytes(16), bytes);
  t.not(Buffer.from(bytes).toString(), 'plain');
});
