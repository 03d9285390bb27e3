/** Content that reaches the bucket although no close or fsync reports it. */
import { tmpdir } from 'node:os';
import test from 'ava';
import { StagingArea } from '../../src/staging/staging-area.js';
import { FsError } from '../../src/errors.js';
import { manyTurns, turnsUntil } from '../patience.js';
import { defaultCall } from './file-system-client.js';
import { Fixture, makeLog } from './file-system-fixture.js';

test('a close that was interrupted during its last request leaves a file that can be read and changed', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  let finish: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (finish = resolve));
  const file = await client.create('a');
  await file.write(0, 'first');
  fixture.store.afterRequest = (method) => (method === 'put' ? gate : undefined);
  const controller = new AbortController();
  const closing = fs.flush(
    { inode: file.inode, handle: file.handle },
    { ...defaultCall, signal: controller.signal },
  );
  await turnsUntil('it is stored', () => fixture.store.contentOf('a') !== undefined);
  controller.abort();
  const error = await t.throwsAsync(closing, { instanceOf: FsError });
  t.is(error.code, 'EINTR');
  finish();
  await manyTurns();
  await fs.release({ inode: file.inode, handle: file.handle });
  t.is((await client.readFile('a')).toString(), 'first');
  await client.writeFile('a', 'second');
  t.deepEqual([...fixture.store.objects.keys()], ['a']);
  t.is(fixture.store.contentOf('a')?.toString(), 'second');
});

test('a file that had to be published before its close is the same file afterwards', async (t) => {
  const fixture = new Fixture(t);
  const mebibyte = 2 ** 20;
  const area = new StagingArea({
    memoryBytes: 16 * mebibyte,
    spillDirectory: tmpdir(),
    spillBytes: 0,
    log: makeLog().log,
  });
  t.teardown(() => area.stop());
  const { client, lines } = fixture.mount({ area });
  const file = await client.create('large');
  for (let index = 0; index < 40; index++)
    await file.write(index * mebibyte, Buffer.alloc(mebibyte, index + 1));
  t.is((await file.read(0, 1))[0], 1);
  t.is(fixture.store.contentOf('large')?.length, 40 * mebibyte, 'there was no room for it here');
  await file.write(0, Buffer.of(99));
  await file.close();
  const stored = fixture.store.contentOf('large');
  t.is(stored?.length, 40 * mebibyte);
  t.is(stored?.[0], 99);
  t.is(stored?.[40 * mebibyte - 1], 40);
  t.deepEqual([...fixture.store.objects.keys()], ['large']);
  t.false(lines.some(({ level }) => level === 'error'));
});
