import test from 'ava';
import { BoundedMap } from '../src/bounded-map.js';

test('what was set longest ago goes out for what comes', (t) => {
  const map = new BoundedMap<string, number>(2).set('a', 1).set('b', 2).set('c', 3);
  t.deepEqual(
    [...map],
    [
      ['b', 2],
      ['c', 3],
    ],
  );
});

test('what is set again counts once, as the youngest, and what is got does not become younger', (t) => {
  const map = new BoundedMap<string, number>(2).set('a', 1).set('b', 2).set('a', 3);
  t.is(map.size, 2);
  t.is(map.get('b'), 2);
  map.set('c', 4);
  t.deepEqual(
    [...map],
    [
      ['a', 3],
      ['c', 4],
    ],
  );
});

test('what was deleted leaves room, and a map that keeps nothing is empty', (t) => {
  const map = new BoundedMap<string, undefined>(2).set('a', undefined).set('b', undefined);
  map.delete('b');
  map.set('c', undefined);
  t.deepEqual([...map.keys()], ['a', 'c']);
  t.is(new BoundedMap<string, number>(0).set('a', 1).size, 0);
});
