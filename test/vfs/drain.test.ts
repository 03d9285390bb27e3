// What the end of a mount puts into the bucket, of what programs have open still as well, and what it leaves there.
import test from 'ava';
import { makeDeferred } from '../../src/concurrency/deferred.js';
import { turnsUntil } from '../patience.js';
import { Fixture } from './file-system-fixture.js';

const mebibyte = 1024 * 1024;
const isIo = { code: 'EIO' } as never;

test('what is open and changed is stored once as it is, also while it is written on', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  const file = await client.create('f');
  await file.write(0, 'one');
  await fs.synchronizeAll('what is closed');
  t.is(fixture.store.contentOf('f'), undefined);
  let more: Promise<void> | undefined;
  // As a program that always has something to write.
  fixture.store.beforeRequest = (method) => {
    if (method === 'put') more ??= file.write(3, ' and more');
  };
  await fs.synchronizeAll('everything');
  t.is(fixture.store.contentOf('f')?.toString(), 'one');
  await more;
  t.deepEqual(fs.pendingKeys(), ['f']);
  await file.close();
  t.is(fixture.store.contentOf('f')?.toString(), 'one and more');
});

test('a flush under way is waited for, and succeeds', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  const file = await client.create('f');
  await file.write(0, 'bytes');
  const answer = makeDeferred<undefined>();
  let isHeld = false;
  fixture.store.beforeRequest = async (method) => {
    if (method !== 'put') return;
    isHeld = true;
    await answer.promise;
  };
  const closed = file.close();
  await turnsUntil('the request', () => isHeld);
  let isStored = false;
  const stored = fs.synchronizeAll('everything').then(() => (isStored = true));
  t.false(isStored);
  answer.resolve(undefined);
  await Promise.all([closed, stored]);
  t.is(fixture.store.contentOf('f')?.toString(), 'bytes');
});

for (const how of ['streamed while it is written', 'begun by its close'] as const) {
  test(`what is given up leaves no upload in the bucket: ${how}`, async (t) => {
    const fixture = new Fixture(t);
    const { client, fs } = fixture.mount();
    const file = await client.create('f');
    const size = how === 'begun by its close' ? 10 * mebibyte : 40 * mebibyte;
    let isWritten = false;
    let parts = 0;
    fixture.store.beforeRequest = async (method) => {
      if (method !== 'uploadPart') return;
      parts += 1;
      if (isWritten) await new Promise<void>((resolve) => setImmediate(resolve));
    };
    for (let offset = 0; offset < size; offset += mebibyte / 2) {
      await file.write(offset, Buffer.alloc(mebibyte / 2, 1));
    }
    isWritten = true;
    const before = parts;
    const closing = t.throwsAsync(file.flush(), isIo);
    await turnsUntil('a part', () => parts > before);
    await fs.abandon();
    await closing;
    t.deepEqual([...fixture.store.uploads.keys()], []);
    t.is(fixture.store.contentOf('f'), undefined);
    await t.throwsAsync(file.close(), isIo, 'a close after that hears of it as well');
    await t.throwsAsync(fs.stop(), isIo);
  });
}

test('the end of a mount without anything to lose succeeds also when it is given up', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  await client.writeFile('f', 'x');
  await fs.abandon();
  await t.notThrowsAsync(fs.stop());
});
