import test from 'ava';
import { StoreError } from '../../src/errors.js';
import { SiblingAttributes } from '../../src/vfs/sibling-attributes.js';
import { Fixture } from './file-system-fixture.js';

const names = Array.from({ length: 100 }, (_, index) => `file-${String(index).padStart(3, '0')}`);

/** What is fetched ahead of these look-ups in a listing of so many entries. */
function fetchedBy(positions: readonly number[], length = 100): number[] {
  const fetched: number[] = [];
  const siblings = new SiblingAttributes<{ readonly length: number }>({
    fetch: (_, position) => {
      fetched.push(position);
      return Promise.resolve();
    },
  });
  const listing = { length };
  for (const position of positions) siblings.noteLookup(listing, position);
  return fetched;
}

const range = (start: number, end: number) => Array.from({ length: end - start }, (_, at) => start + at);

test('look-ups in the order of the listing have more and more of the next fetched, each once', (t) => {
  t.deepEqual(fetchedBy([0]), []);
  t.deepEqual(fetchedBy([0, 1]), range(2, 6));
  t.deepEqual(fetchedBy([0, 1, 2]), range(2, 9));
  t.deepEqual(fetchedBy(range(0, 40)), range(2, 72));
  t.deepEqual(fetchedBy(range(0, 100)), range(2, 100));
});

test('gaps are passed over, and the same name twice counts once', (t) => {
  t.deepEqual(fetchedBy([0, 0, 0]), []);
  t.deepEqual(fetchedBy([0, 0, 3, 3]), range(4, 8));
});

test('names here and there have nothing fetched', (t) => {
  t.deepEqual(fetchedBy([50, 3, 90, 17, 60, 1]), []);
  t.deepEqual(fetchedBy([99, 98, 97, 96]), []);
  t.deepEqual(fetchedBy([0, 10, 11], 12), []);
});

test('files read one after the other cost one HEAD and one GET each, and the HEADs do not wait for each other', async (t) => {
  const fixture = new Fixture(t);
  for (const name of names) fixture.store.putForeign(`d/${name}`, name);
  let [underWay, most] = [0, 0];
  fixture.store.beforeRequest = async (method) => {
    if (method !== 'head') return;
    underWay += 1;
    most = Math.max(most, underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay -= 1;
  };
  const { client } = fixture.mount();
  // As the kernel does, holds the directory meanwhile.
  await client.withInode('d', async () => {
    await client.list('d');
    fixture.store.resetCounters();
    for (const name of names) t.is((await client.readFile(`d/${name}`)).toString(), name);
  });
  t.is(fixture.store.requestCount('head'), names.length);
  t.is(fixture.store.requestCount('get'), names.length);
  t.true(most > 4, `${most} at once`);
});

test('what failed ahead is asked for again by the look-up that needs it', async (t) => {
  const fixture = new Fixture(t);
  for (const name of names.slice(0, 20)) fixture.store.putForeign(`d/${name}`, name);
  let failures = 0;
  fixture.store.beforeRequest = (method, key) => {
    if (method !== 'head' || key !== 'd/file-004' || failures > 0) return;
    failures += 1;
    throw new StoreError('ServerError', 'failed once');
  };
  const { client, lines } = fixture.mount();
  await client.withInode('d', async () => {
    await client.list('d');
    for (const name of names.slice(0, 20)) t.is((await client.stat(`d/${name}`)).size, name.length);
  });
  t.is(failures, 1);
  t.true(lines.some(({ message }) => message === 'HEAD ahead failed'));
});
