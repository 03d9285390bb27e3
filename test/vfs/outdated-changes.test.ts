/** What becomes of changes to a file that loses its name by what another client does: kept beside and told, never dropped. */
import { tmpdir } from 'node:os';
import test from 'ava';
import { StagingArea } from '../../src/staging/staging-area.js';
import { StoreError } from '../../src/errors.js';
import { manyTurns, turnsUntil } from '../patience.js';
import { writeFlags } from './file-system-client.js';
import { Fixture, makeLog, metadataTtlMs } from './file-system-fixture.js';

const mebibyte = 2 ** 20;
const isStale = { code: 'ESTALE' } as never;

function keptOf({ store }: Fixture, start: string): (string | undefined)[] {
  const keys = [...store.objects.keys()].filter((key) => key.startsWith(`${start}.conflict-`));
  return keys.map((key) => store.contentOf(key)?.toString());
}

test('of two handles that changed a file, each hears at its fsync and its close that another client was faster', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  fixture.store.putForeign('f', 'base base');
  const a = await client.open('f', writeFlags);
  const b = await client.open('f', writeFlags);
  const reading = await client.open('f', writeFlags);
  await a.write(0, 'AAAAA');
  await b.write(5, 'BBBB');
  fixture.store.putForeign('f', 'theirs');
  await t.throwsAsync(a.close(), isStale);
  await t.throwsAsync(b.synchronize(), isStale);
  await t.throwsAsync(b.close(), isStale);
  await t.notThrowsAsync(reading.close(), 'it changed nothing');
  t.deepEqual(keptOf(fixture, 'f'), ['AAAAABBBB']);
  t.is(fixture.store.contentOf('f')?.toString(), 'theirs');
  t.deepEqual(fs.pendingKeys(), []);
});

test('a descriptor that is closed twice, as one that a child inherited, gives ESTALE both times', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  fixture.store.putForeign('f', 'base');
  const file = await client.open('f', writeFlags);
  await file.write(0, 'ours');
  fixture.store.putForeign('f', 'theirs');
  await t.throwsAsync(file.flush(), isStale);
  await t.throwsAsync(file.close(), isStale);
});

test('a handle whose changes were stored before another client replaced the file closes without an error', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  const a = await client.create('f');
  const b = await client.open('f', writeFlags);
  await b.write(0, 'ours');
  await a.synchronize();
  fixture.store.putForeign('f', 'theirs');
  t.is((await client.readFile('f')).toString(), 'theirs');
  await t.notThrowsAsync(b.close());
  await t.notThrowsAsync(a.close());
  t.deepEqual(keptOf(fixture, 'f'), []);
});

test('a file that is written in a directory in whose place another client has put a file is kept beside that', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  await client.makeDirectory('d');
  await client.makeDirectory('d/below');
  const file = await client.create('d/below/f');
  await file.write(0, 'precious');
  fixture.store.objects.delete('d/');
  fixture.store.objects.delete('d/below/');
  fixture.store.putForeign('d', 'now a file');
  fixture.clock.advance(metadataTtlMs + 1);
  t.is((await client.stat('d')).size, 10);
  await t.throwsAsync(file.write(0, 'refused'), isStale);
  await t.throwsAsync(file.close(), isStale);
  t.deepEqual(keptOf(fixture, 'f'), ['precious']);
  t.deepEqual(fs.pendingKeys(), []);
  t.is((await client.readFile('d')).toString(), 'now a file', 'ours must not hide it');
  t.true((await client.list('')).some((name) => name.startsWith('f.conflict-')));
  t.false([...fixture.store.objects.keys()].some((key) => key.startsWith('d/')));
});

test('what a failed close left in such a directory is kept beside in the background, or at the end', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs, lines } = fixture.mount();
  await client.makeDirectory('d');
  const file = await client.create('d/f');
  await file.write(0, 'precious');
  fixture.store.beforeRequest = (method) => {
    if (method === 'put') throw new StoreError('ServerError', 'away');
  };
  await t.throwsAsync(file.close());
  fixture.store.objects.delete('d/');
  fixture.store.putForeign('d', 'now a file');
  fixture.clock.advance(metadataTtlMs + 1);
  await client.stat('d');
  t.deepEqual(fs.pendingKeys(), ['d/f']);
  fixture.store.beforeRequest = () => undefined;
  await fs.stop();
  t.deepEqual(keptOf(fixture, 'f'), ['precious']);
  t.true(lines.some(({ level, fields }) => level === 'error' && 'keptAs' in fields));
});

test('a directory with a file that has changes is not removed, though another client has removed its object', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.makeDirectory('d');
  await client.makeDirectory('d/below');
  await client.writeFile('d/below/f', 'stored');
  const file = await client.open('d/below/f', writeFlags);
  await file.write(0, 'changed');
  for (const key of ['d/below/f', 'd/below/']) fixture.store.objects.delete(key);
  await t.throwsAsync(client.removeDirectory('d/below'), { code: 'ENOTEMPTY' } as never);
  await t.throwsAsync(client.removeDirectory('d'), { code: 'ENOTEMPTY' } as never);
  await file.close();
  t.is(fixture.store.contentOf('d/below/f')?.toString(), 'changed');
});

test('a file that is open when its directory is removed, after another client had removed the file, cannot be changed', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  await client.makeDirectory('d');
  await client.writeFile('d/f', 'ours');
  const file = await client.open('d/f', writeFlags);
  fixture.store.objects.delete('d/f');
  fixture.clock.advance(metadataTtlMs);
  await client.removeDirectory('d');
  await t.throwsAsync(file.write(0, 'more'), isStale, 'its close could not store it anywhere');
  await file.close();
  fs.checkInvariants();
  t.deepEqual([...fixture.store.objects.keys()], []);
});

test('a write that waits for the rest of a small file meanwhile replaced elsewhere is refused', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  fixture.store.putForeign('f', 'old old old');
  const file = await client.open('f', writeFlags);
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  fixture.store.afterRequest = (method) => (method === 'get' ? held : undefined);
  const writing = t.throwsAsync(file.write(0, 'ours'), isStale);
  await turnsUntil('the rest is asked for', () => fixture.store.requestCount('get') === 1);
  fixture.store.putForeign('f', 'theirs theirs');
  const other = await client.open('f', writeFlags);
  letGo();
  await writing;
  await t.throwsAsync(file.synchronize(), isStale);
  await t.throwsAsync(file.close(), isStale);
  await other.close();
  t.is(fixture.store.contentOf('f')?.toString(), 'theirs theirs');
  t.deepEqual(fs.pendingKeys(), []);
});

test('changes that wait for memory while the file is replaced elsewhere are refused, and none of them is staged', async (t) => {
  const fixture = new Fixture(t);
  const { log } = makeLog();
  const area = new StagingArea({
    memoryBytes: 16 * mebibyte,
    spillDirectory: tmpdir(),
    spillBytes: 0,
    log,
  });
  const { client, fs } = fixture.mount({ area });
  fixture.store.putForeign('f', Buffer.alloc(3 * mebibyte, 1));
  const file = await client.open('f', writeFlags);
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  fixture.store.beforeRequest = (method) => (method === 'uploadPart' ? held : undefined);
  const big = await client.create('big');
  const filling = (async () => {
    for (let i = 0; i < 80; i += 1) await big.write((i * mebibyte) / 4, Buffer.alloc(mebibyte / 4, 7));
  })();
  await turnsUntil('memory is short', () => area.statistics().waiting > 0);
  const writing = t.throwsAsync(file.write(0, 'ours'), isStale);
  await turnsUntil('both wait', () => area.statistics().waiting > 1);
  const cutting = t.throwsAsync(file.truncate(5), isStale);
  await manyTurns();
  fixture.store.putForeign('f', Buffer.alloc(3 * mebibyte, 2));
  const other = await client.open('f', writeFlags);
  letGo();
  await Promise.all([filling, writing, cutting]);
  await t.throwsAsync(file.synchronize(), isStale);
  await t.throwsAsync(file.close(), isStale);
  await other.close();
  await big.close();
  t.deepEqual([...fixture.store.objects.keys()].sort(), ['big', 'f']);
  t.is(fixture.store.contentOf('f')?.[0], 2);
  t.deepEqual(fs.pendingKeys(), []);
  t.is(area.statistics().memoryBytes, 0);
});
