import { randomBytes } from 'node:crypto';
import test from 'ava';
import { CustomerKey } from '../../../src/keys/customer-key.js';
import {
  chunkCountOf,
  DamagedFileError,
  deriveKey,
  openChunk,
  sealChunk,
  sealedSizeOf,
} from '../../../src/gateway/storage/sealing.js';

const key = randomBytes(32);
const plaintext = Buffer.from('measured at Ann Arbor');
const damaged = { instanceOf: DamagedFileError };

test('a chunk opens as what was sealed, and is not readable before', (t) => {
  const sealed = sealChunk(key, 7, true, plaintext);
  t.deepEqual(openChunk(key, 7, true, sealed), plaintext);
  t.false(sealed.includes(plaintext));
});

test('a chunk opens at its own place only', (t) => {
  const sealed = sealChunk(key, 7, false, plaintext);
  t.throws(() => openChunk(key, 8, false, sealed), damaged);
  t.throws(() => openChunk(key, 7, true, sealed), damaged);
  t.throws(() => openChunk(randomBytes(32), 7, false, sealed), damaged);
});

test('a chunk of which any bit was changed, or that was cut, does not open', (t) => {
  const sealed = sealChunk(key, 0, true, plaintext);
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Buffer.from(sealed);
    changed[at]! ^= 1;
    t.throws(() => openChunk(key, 0, true, changed), damaged);
    t.throws(() => openChunk(key, 0, true, sealed.subarray(0, at)), damaged);
  }
});

test('keys for different purposes, salts and customer keys are different', (t) => {
  const [one, other] = [new CustomerKey(randomBytes(32)), new CustomerKey(randomBytes(32))];
  const [salt, otherSalt] = [randomBytes(32), randomBytes(32)];
  const keys = [
    deriveKey(one, salt, 'segment'),
    deriveKey(one, salt, 'record'),
    deriveKey(one, salt, 'recognition'),
    deriveKey(one, otherSalt, 'segment'),
    deriveKey(other, salt, 'segment'),
  ];
  t.is(new Set(keys.map((derived) => derived.toString('hex'))).size, keys.length);
  t.deepEqual(deriveKey(one, salt, 'segment'), keys[0]);
});

test('sizes on disk count one tag for each chunk, and one chunk for nothing', (t) => {
  t.is(chunkCountOf(0), 1);
  t.is(sealedSizeOf(0), 16);
  t.is(sealedSizeOf(65_536), 65_552);
  t.is(sealedSizeOf(65_537), 65_537 + 32);
});
