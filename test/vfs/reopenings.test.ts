import test from 'ava';
import { Reopenings } from '../../src/vfs/reopenings.js';

test('all opens of a key that are expected are waited for, and others are not', async (t) => {
  const reopenings = new Reopenings(300_000);
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

test('an open that does not come is waited for no longer than the limit', async (t) => {
  const reopenings = new Reopenings(1);
  reopenings.expect('a');
  await reopenings.arrivalOf('a');
  t.is(reopenings.arrivalOf('a'), undefined);
});
