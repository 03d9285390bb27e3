// st_ino: no two files that anybody knows have the same, and a file keeps its own as long as it is known.
import test from 'ava';
import { writeFlags } from './file-system-client.js';
import { Fixture, metadataTtlMs } from './file-system-fixture.js';

test('a file that is deleted while open and the new one of its name have different numbers', async (t) => {
  const { client, fs } = new Fixture(t).mount();
  await client.writeFile('f', 'text');
  const { ino } = await client.stat('f');
  const open = await client.open('f');
  await client.unlink('f');
  await client.writeFile('f', 'new');
  t.is((await open.stat()).ino, ino);
  const { ino: newNumber } = await client.stat('f');
  t.not(newNumber, ino);
  t.is((await client.listEntries(''))[0]?.ino, newNumber);
  fs.checkInvariants();
  await open.close();
});

test('a renamed file keeps its number while it is known, and what comes under its former name has another', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  await client.writeFile('log', 'one');
  const log = await client.open('log');
  const { ino } = await log.stat();
  await client.rename('log', 'log.1');
  t.is((await log.stat()).ino, ino);
  t.is((await client.stat('log.1')).ino, ino);
  await client.writeFile('log', 'two');
  const newLog = await client.open('log');
  const { ino: newNumber } = await newLog.stat();
  t.not(newNumber, ino);
  const listed = new Map((await client.listEntries('')).map((entry) => [entry.name, entry.ino]));
  t.deepEqual([listed.get('log'), listed.get('log.1')], [newNumber, ino]);
  await client.rename('log.1', 'log.2');
  await client.rename('log', 'log.1');
  t.is((await log.stat()).ino, ino);
  t.is((await newLog.stat()).ino, newNumber);
  fs.checkInvariants();
  await log.close();
  await newLog.close();
});

test('a number follows from the key again when nobody knows the file any more, and in every other mount', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  await client.writeFile('a', 'text');
  const { ino } = await client.stat('a');
  await client.rename('a', 'b');
  await client.writeFile('a', 'other');
  t.is((await client.stat('a')).ino, ino);
  const other = fixture.mount().client;
  t.is((await other.stat('a')).ino, ino);
  t.is((await other.stat('b')).ino, (await client.stat('b')).ino);
  fs.checkInvariants();
});

test('a file that replaces an open one keeps its number, and the open one too', async (t) => {
  const { client, fs } = new Fixture(t).mount();
  await client.writeFile('a', 'a');
  await client.writeFile('b', 'b');
  const a = await client.open('a');
  const b = await client.open('b');
  const numbers = [(await a.stat()).ino, (await b.stat()).ino] as const;
  await client.rename('b', 'a');
  t.deepEqual([(await a.stat()).ino, (await b.stat()).ino], numbers);
  t.is((await client.stat('a')).ino, numbers[1]);
  const c = await client.create('b', writeFlags);
  t.false(numbers.includes((await c.stat()).ino));
  fs.checkInvariants();
  await Promise.all([a.close(), b.close(), c.close()]);
});

test('what lies in a renamed directory keeps its numbers, and a new directory of the name has others', async (t) => {
  const { client, fs } = new Fixture(t).mount();
  await client.makeDirectory('d');
  await client.makeDirectory('d/e');
  await client.writeFile('d/e/f', 'text');
  const open = await client.open('d/e/f');
  const paths = ['', '/e', '/e/f'];
  const numbersIn = (directory: string) =>
    Promise.all(paths.map(async (path) => (await client.stat(directory + path)).ino));
  const numbers = await numbersIn('d');
  await client.rename('d', 'moved');
  t.deepEqual(await numbersIn('moved'), numbers);
  t.is((await client.listEntries('moved/e'))[0]?.ino, numbers[2]);
  await client.makeDirectory('d');
  await client.makeDirectory('d/e');
  await client.writeFile('d/e/f', 'other');
  const newNumbers = await numbersIn('d');
  t.is(new Set([...numbers, ...newNumbers]).size, 6);
  fs.checkInvariants();
  await open.close();
});

test('a version that another client stored has another number than the one that is open', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  await client.writeFile('f', 'text');
  const open = await client.open('f');
  const { ino } = await open.stat();
  fixture.store.putForeign('f', 'another');
  fixture.clock.advance(metadataTtlMs);
  t.not((await client.stat('f')).ino, ino);
  fs.checkInvariants();
  await open.close();
});
