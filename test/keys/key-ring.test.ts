import test from 'ava';
import { CustomerKey } from '../../src/keys/customer-key.js';
import { KeyRing } from '../../src/keys/key-ring.js';

const [one, two] = [1, 2].map((byte) => new CustomerKey(Buffer.alloc(32, byte))) as [
  CustomerKey,
  CustomerKey,
];

test('the first key writes, and a key that is given twice is there once', (t) => {
  const ring = new KeyRing(one, [two, new CustomerKey(Buffer.alloc(32, 1)), two]);
  t.is(ring.first.fingerprint, one.fingerprint);
  t.deepEqual(
    ring.others.map(({ fingerprint }) => fingerprint),
    [two.fingerprint],
  );
});

test('it is described without secrets', (t) => {
  t.is(new KeyRing(one, [two]).describe(), `${one.fingerprint}, ${two.fingerprint}`);
  t.false(JSON.stringify(new KeyRing(one, [two])).includes(one.toBase64()));
});
