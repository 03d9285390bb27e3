import test from 'ava';
import { makeDeferred } from '../../src/concurrency/deferred.js';
import { SingleFlight } from '../../src/concurrency/single-flight.js';

test('who asks while a question is under way gets the same answer, and who asks later a new one', async (t) => {
  const flight = new SingleFlight<number>();
  const answers = [makeDeferred<number>(), makeDeferred<number>()];
  let asked = 0;
  const ask = () => answers[asked++]!.promise;
  const [first, second] = [flight.run(ask), flight.run(ask)];
  t.true(flight.isUnderWay);
  answers[0]!.resolve(1);
  t.deepEqual(await Promise.all([first, second]), [1, 1]);
  t.false(flight.isUnderWay);
  const third = flight.run(ask);
  answers[1]!.resolve(2);
  t.is(await third, 2);
});

test('a failure is told to all who wait, and the next one asks anew', async (t) => {
  const flight = new SingleFlight<number>();
  const failing = () => Promise.reject(new Error('no'));
  const both = [flight.run(failing), flight.run(failing)];
  for (const each of both) await t.throwsAsync(each, { message: 'no' });
  t.is(await flight.run(() => Promise.resolve(7)), 7);
});
