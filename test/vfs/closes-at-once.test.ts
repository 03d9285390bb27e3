/** Flushes of one file at the same time: each returns when what was changed before it is stored, or says that it is not. */
import { tmpdir } from 'node:os';
import test from 'ava';
import { StagingArea } from '../../src/staging/staging-area.js';
import { StoreError } from '../../src/errors.js';
import { manyTurns, turnsUntil } from '../patience.js';
import { Fixture, makeLog } from './file-system-fixture.js';

function makeGate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

for (const isRefused of [false, true]) {
  test(`a second close waits for the store under way and ${isRefused ? 'fails if nothing is stored' : 'is stored with it'}`, async (t) => {
    const fixture = new Fixture(t);
    const { client } = fixture.mount();
    const file = await client.create('f');
    await file.write(0, 'data');
    const gate = makeGate();
    fixture.store.beforeRequest = async (method) => {
      if (method !== 'put') return;
      await gate.opened;
      if (isRefused) throw new StoreError('AccessDenied', 'denied');
    };
    const first = file.synchronize();
    await turnsUntil('it is being stored', () => fixture.store.requestCount('put') === 1);
    let isReturned = false;
    const second = file.flush().finally(() => (isReturned = true));
    await manyTurns();
    t.false(isReturned);
    gate.open();
    if (isRefused) {
      await Promise.all([first, second].map((flush) => t.throwsAsync(flush, { code: 'EACCES' } as never)));
      fixture.store.beforeRequest = () => undefined;
    } else {
      await Promise.all([first, second]);
      t.is(fixture.store.requestCount('put'), 1);
    }
    await file.close();
    t.is(fixture.store.contentOf('f')?.toString(), 'data');
  });
}

test('a write that waits for memory while its handle is flushed is stored by the next close', async (t) => {
  const fixture = new Fixture(t);
  const mebibyte = 2 ** 20;
  const { log } = makeLog();
  const area = new StagingArea({
    memoryBytes: 16 * mebibyte,
    spillDirectory: tmpdir(),
    spillBytes: 0,
    log,
  });
  const { client } = fixture.mount({ area });
  const file = await client.create('f');
  const gate = makeGate();
  fixture.store.beforeRequest = (method) => (method === 'uploadPart' ? gate.opened : undefined);
  const big = await client.create('big');
  const filling = (async () => {
    for (let i = 0; i < 80; i += 1) await big.write((i * mebibyte) / 4, Buffer.alloc(mebibyte / 4, 7));
  })();
  await turnsUntil('memory is short', () => area.statistics().waiting > 0);
  const writing = file.write(0, 'data');
  await turnsUntil('both wait', () => area.statistics().waiting > 1);
  const flushing = file.flush();
  gate.open();
  await Promise.all([filling, writing, flushing]);
  await file.flush();
  t.is(fixture.store.contentOf('f')?.toString(), 'data');
  await file.close();
  await big.close();
});
