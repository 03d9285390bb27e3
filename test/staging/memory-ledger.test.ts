import test from 'ava';
import { FsError } from '../../src/errors.js';
import { MemoryLedger } from '../../src/staging/memory-ledger.js';
import { never } from './staging.js';

const ignore = () => undefined;

test('what is taken counts until it is given back, and no more than the limit is taken', (t) => {
  const memory = new MemoryLedger(100, 10);
  t.true(memory.tryTake(60));
  t.false(memory.tryTake(41));
  t.true(memory.tryTake(40));
  memory.giveBack(60);
  t.is(memory.usedBytes, 40);
  t.is(memory.peakBytes, 100);
});

test('nobody takes memory past those who wait, and they get it in order', async (t) => {
  const memory = new MemoryLedger(100, 10);
  t.true(memory.tryTake(95));
  const order: string[] = [];
  const first = memory.wait(20, never, ignore).then(() => order.push('first'));
  const second = memory.wait(5, never, ignore).then(() => order.push('second'));
  t.false(memory.grantNext(), 'there is room for the second, but not for the first');
  t.false(memory.tryTake(1));
  t.is(memory.missingBytes, 15);
  memory.giveBack(50);
  t.true(memory.grantNext());
  t.true(memory.grantNext());
  t.false(memory.grantNext());
  await Promise.all([first, second]);
  t.deepEqual(order, ['first', 'second']);
  t.is(memory.grants, 2);
  memory.settleGrant();
  memory.settleGrant();
  t.is(memory.usedBytes, 70);
});

test('who does not want to wait any more leaves the queue, and says so', async (t) => {
  const memory = new MemoryLedger(100, 10);
  t.true(memory.tryTake(100));
  const controller = new AbortController();
  let left = 0;
  const waiting = t.throwsAsync(memory.wait(10, controller.signal, () => (left += 1)));
  t.is(memory.waiting, 1);
  controller.abort();
  await waiting;
  t.is(memory.waiting, 0);
  t.is(left, 1);
});

test('all who wait can be refused', async (t) => {
  const memory = new MemoryLedger(100, 10);
  t.true(memory.tryTake(100));
  const refusal = new FsError('ENOSPC', 'full');
  const waits = [memory.wait(10, never, ignore), memory.wait(10, never, ignore)];
  const refused = Promise.all(waits.map((wait) => t.throwsAsync(wait, { is: refusal })));
  memory.refuseAll(refusal);
  await refused;
  t.is(memory.waiting, 0);
});

test('where nobody waits an eighth is to be kept free', (t) => {
  const memory = new MemoryLedger(80, 10);
  t.true(memory.tryTake(70));
  t.is(memory.missingBytes, 0);
  t.true(memory.tryTake(10));
  t.is(memory.missingBytes, 10);
});

test('a buffer that nobody looks at is used again, any other is not', (t) => {
  const memory = new MemoryLedger(100, 10);
  t.true(memory.tryTake(25));
  const [whole, lent, short] = [memory.allocate(10), memory.allocate(10), memory.allocate(5)];
  memory.free(lent, false);
  memory.free(short, true);
  memory.free(whole, true);
  t.is(memory.usedBytes, 0);
  t.true(memory.tryTake(20));
  t.is(memory.allocate(10), whole);
  t.not(memory.allocate(10), lent);
});
