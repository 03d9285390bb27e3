import test from 'ava';
import { PacketSchedule } from '../../scripts/benchmark/packet-schedule.js';

const kibibyte = Buffer.alloc(1024);

test('a packet leaves after the time that it takes on the wire and the delay', (t) => {
  const schedule = new PacketSchedule(1024);
  schedule.setDelay(10);
  t.true(schedule.add(kibibyte, 100));
  t.is(schedule.nextDueMs(), 111);
  t.deepEqual(schedule.takeDue(110.9), []);
  t.is(schedule.takeDue(111).length, 1);
  t.is(schedule.nextDueMs(), undefined);
});

test('packets wait for those before them on the wire, and their delays overlap', (t) => {
  const schedule = new PacketSchedule(1024);
  schedule.setDelay(10);
  for (let i = 0; i < 3; i++) schedule.add(kibibyte, 0);
  t.is(schedule.takeDue(11).length, 1);
  t.is(schedule.nextDueMs(), 12);
  t.is(schedule.takeDue(13).length, 2);
});

test('a wire that was idle has saved nothing up', (t) => {
  const schedule = new PacketSchedule(1024);
  schedule.add(kibibyte, 0);
  schedule.add(kibibyte, 1000);
  t.is(schedule.takeDue(1000).length, 1);
  t.is(schedule.nextDueMs(), 1001);
});

test('packets leave in their order, also if the delay is made shorter', (t) => {
  const schedule = new PacketSchedule(1024);
  schedule.setDelay(50);
  schedule.add(Buffer.from('first'), 0);
  schedule.setDelay(0);
  schedule.add(Buffer.from('second'), 1);
  t.deepEqual(schedule.takeDue(40), []);
  t.deepEqual(schedule.takeDue(60).map(String), ['first', 'second']);
});

test('what does not fit into the buffer of the link is lost', (t) => {
  const schedule = new PacketSchedule(1);
  const big = Buffer.alloc(5 * 2 ** 20);
  t.true(schedule.add(big, 0));
  t.false(schedule.add(big, 0));
  t.true(schedule.add(kibibyte, 0));
});
