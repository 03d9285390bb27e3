import test from 'ava';
import { CustomerKey } from '../../src/keys/customer-key.js';
import { KeyMemory } from '../../src/s3/key-memory.js';

const first = new CustomerKey(Buffer.alloc(32, 1));
const second = new CustomerKey(Buffer.alloc(32, 2));

test('before anything is known the first key is guessed, and the others follow in order', (t) => {
  const memory = new KeyMemory(first, [second]);
  t.is(memory.guess('a/b'), first);
  t.deepEqual(memory.alternatives(first), [second]);
  t.deepEqual(memory.alternatives(second), [first]);
});

test('an object keeps its key, and its neighbours are guessed to have the one that fitted last', (t) => {
  const memory = new KeyMemory(first, [second]);
  memory.remember('a/old', second);
  t.is(memory.guess('a/other'), second);
  t.is(memory.guess('b/other'), first);
  memory.remember('a/new', first);
  t.is(memory.guess('a/other'), first);
  t.is(memory.guess('a/old'), second);
  memory.remember('a/old', first);
  t.is(memory.guess('a/old'), first);
});

test('what was written is under the first key, its neighbours as before', (t) => {
  const memory = new KeyMemory(first, [second]);
  memory.remember('a/old', second);
  memory.noteWritten('a/old');
  t.is(memory.guess('a/old'), first);
  t.is(memory.guess('a/other'), second);
});

test('an object without encryption is asked for without a key until it is forgotten', (t) => {
  const memory = new KeyMemory(first, []);
  memory.remember('a', undefined);
  t.is(memory.guess('a'), undefined);
  t.is(memory.guess('b'), first);
  memory.forget('a');
  t.is(memory.guess('a'), first);
});
