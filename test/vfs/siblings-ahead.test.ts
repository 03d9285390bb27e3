import test from 'ava';
import { StoreError } from '../../src/errors.js';
import { manyTurns } from '../patience.js';
import { SiblingsAhead } from '../../src/vfs/siblings-ahead.js';
import { HeldClock } from '../clock.js';
import { Fixture } from './file-system-fixture.js';

const names = Array.from({ length: 100 }, (_, index) => `file-${String(index).padStart(3, '0')}`);

/** What is fetched ahead of these look-ups, with `isOpened` each of them opened too, in a listing of so many entries of so many bytes. */
function fetchedBy(
  positions: readonly number[],
  { length = 100, isOpened = (position: number): boolean => position < 0, bytes = 1000 } = {},
): string[] {
  const fetched: string[] = [];
  const siblings = new SiblingsAhead<{ readonly length: number }>({
    fetch: (_, position, wanted) => void fetched.push(`${wanted === 'content' ? 'c' : 'a'}${position}`),
    bytesAt: () => bytes,
  });
  const listing = { length };
  for (const position of positions) {
    siblings.noteLookup(listing, position);
    if (isOpened(position)) siblings.noteOpen(listing, position);
  }
  return fetched;
}

const range = (start: number, end: number) => Array.from({ length: end - start }, (_, at) => start + at);
const attributes = (start: number, end: number) => range(start, end).map((position) => `a${position}`);
const contents = (start: number, end: number) => range(start, end).map((position) => `c${position}`);

test('look-ups in the order of the listing have more and more of the next fetched, each once', (t) => {
  t.deepEqual(fetchedBy([0]), []);
  t.deepEqual(fetchedBy([0, 1]), attributes(2, 6));
  t.deepEqual(fetchedBy([0, 1, 2]), attributes(2, 9));
  t.deepEqual(fetchedBy(range(0, 40)), attributes(2, 72));
  t.deepEqual(fetchedBy(range(0, 100)), attributes(2, 100));
});

test('gaps are passed over, and the same name twice counts once', (t) => {
  t.deepEqual(fetchedBy([0, 0, 0]), []);
  t.deepEqual(fetchedBy([0, 0, 3, 3]), attributes(4, 8));
});

test('names here and there have nothing fetched', (t) => {
  t.deepEqual(fetchedBy([50, 3, 90, 17, 60, 1]), []);
  t.deepEqual(fetchedBy([99, 98, 97, 96]), []);
  t.deepEqual(fetchedBy([0, 10, 11], { length: 12 }), []);
});

test('files that are opened have the content of the next fetched, twice what was opened and at most 8 MiB', (t) => {
  const isOpened = () => true;
  t.deepEqual(fetchedBy([0, 1], { isOpened }), contents(2, 6));
  t.deepEqual(fetchedBy(range(0, 40), { isOpened }), contents(2, 72));
  const bytes = 1024 * 1024;
  t.deepEqual(fetchedBy([0, 1], { isOpened, bytes }), contents(2, 4));
  t.deepEqual(fetchedBy(range(0, 20), { isOpened, bytes }), contents(2, 28));
  t.deepEqual(fetchedBy(range(0, 4), { isOpened, bytes: 9 * bytes }), []);
});

test('a program that looks up all and opens some has attributes fetched, and content once it opens most', (t) => {
  t.deepEqual(fetchedBy(range(0, 10), { isOpened: (position) => position % 4 === 3 }), attributes(2, 30));
  const late = fetchedBy(range(0, 10), { isOpened: (position) => position >= 4 });
  t.deepEqual(late, [...attributes(2, 24), ...contents(9, 30)]);
});

test('files that are opened without being looked up count too, and opening one twice counts once', (t) => {
  const fetched: number[] = [];
  const siblings = new SiblingsAhead<{ readonly length: number }>({
    fetch: (_, position) => void fetched.push(position),
    bytesAt: () => 1,
  });
  const listing = { length: 100 };
  siblings.noteOpen(listing, 0);
  siblings.noteOpen(listing, 0);
  t.deepEqual(fetched, []);
  siblings.noteOpen(listing, 1);
  t.deepEqual(fetched, range(2, 6));
});

test('files read one after the other cost one GET, which does not wait for the others, and one HEAD each when they are opened', async (t) => {
  const fixture = new Fixture(t, undefined, new HeldClock());
  for (const name of names) fixture.store.putForeign(`d/${name}`, name);
  let [underWay, most] = [0, 0];
  fixture.store.beforeRequest = async (method) => {
    if (method !== 'get') return;
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

test('a file that another client stored after its content was fetched ahead is read as it is now', async (t) => {
  const fixture = new Fixture(t, undefined, new HeldClock());
  for (const name of names) fixture.store.putForeign(`d/${name}`, name);
  const { client } = fixture.mount();
  await client.withInode('d', async () => {
    await client.list('d');
    for (const name of names.slice(0, 4)) await client.readFile(`d/${name}`);
    const fetched = fixture.store.requestCount('get');
    t.true(fetched >= 8, `${fetched} fetched`);
    fixture.store.putForeign('d/file-005', 'changed');
    t.is((await client.readFile('d/file-005')).toString(), 'changed');
    t.is((await client.readFile('d/file-006')).toString(), 'file-006');
  });
});

test('a look-up does not wait long for the content of the file', async (t) => {
  const clock = new HeldClock();
  const fixture = new Fixture(t, undefined, clock);
  for (const name of names) fixture.store.putForeign(`d/${name}`, name);
  let answer: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (answer = resolve));
  fixture.store.beforeRequest = async (method, key) => {
    if (method === 'get' && key === 'd/file-003') await held;
  };
  const { client } = fixture.mount();
  await client.withInode('d', async () => {
    await client.list('d');
    for (const name of names.slice(0, 3)) await client.readFile(`d/${name}`);
    const looking = client.stat('d/file-003');
    await manyTurns();
    clock.advance(200);
    t.is((await looking).size, 'file-003'.length);
    answer();
    t.is((await client.readFile('d/file-003')).toString(), 'file-003');
  });
});

test('what failed ahead is asked for again by the look-up that needs it', async (t) => {
  const fixture = new Fixture(t, undefined, new HeldClock());
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
  t.true(lines.some(({ message }) => message === 'fetching ahead failed'));
});
