import test from 'ava';
import { Reopenings } from '../../src/vfs/reopenings.js';
import { HeldClock } from '../clock.js';

test('all opens of a key that are expected are waited for, and others are not', async (t) => {
  const reopenings = new Reopenings(new HeldClock());
  reopenings.arrive('a');
  t.is(reopenings.arrivalOf('a'), undefined);
  reopenings.expect('a');
  reopenings.expect('a');
  t.is(reopenings.arrivalOf('b'), undefined);
  const arrival = reopenings.arrivalOf('a');
  reopenings.arrive('a');
  t.is(reopenings.arrivalOf('a'), arrival);
  reopenings.arrive('a');
  t.is(reopenings.arrivalOf('a'), undefined);
  await arrival;
});

test('an open that does not come is waited for no longer than a second', async (t) => {
  const clock = new HeldClock();
  const reopenings = new Reopenings(clock);
  reopenings.expect('a');
  const arrival = reopenings.arrivalOf('a');
  clock.advance(999);
  t.is(reopenings.arrivalOf('a'), arrival);
  clock.advance(1);
  t.is(reopenings.arrivalOf('a'), undefined);
  await arrival;
});
