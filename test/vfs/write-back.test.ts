// When what the bucket lacks is stored, and stored again.
import test, { type ExecutionContext } from 'ava';
import { StoreError } from '../../src/errors.js';
import { HeldClock } from '../clock.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { manyTurns, turnsUntil } from '../patience.js';
import { Fixture } from './file-system-fixture.js';

const attributeDelayMs = 500;

function makeFixture(t: ExecutionContext) {
  const clock = new HeldClock();
  const fixture = new Fixture(t, new MemoryObjectStore({ minPartSize: 64 }), clock);
  return { clock, fixture, ...fixture.mount({ attributeDelayMs }) };
}

for (const kind of ['file', 'directory'] as const) {
  for (const who of ['the background', 'sync'] as const) {
    test(`attributes of a ${kind} that change while ${who} stores others are stored soon after`, async (t) => {
      const { clock, fixture, client, fs } = makeFixture(t);
      if (kind === 'file') await client.writeFile('it', 'x');
      else await client.makeDirectory('it');
      const write = fixture.holdFirstWrite();
      await client.setAttributes('it', { mode: 0o700 });
      const stored = who === 'sync' ? fs.synchronizeAll('everything') : undefined;
      if (!stored) clock.advance(attributeDelayMs + 1);
      await turnsUntil('they are on their way', write.isHeld);
      await client.setAttributes('it', { mode: 0o750 });
      write.letGo();
      await stored;
      await manyTurns();
      t.is(fs.pending().length, 1, 'what was changed last waits for further changes');
      clock.advance(attributeDelayMs + 1);
      await manyTurns();
      t.deepEqual(fs.pending(), []);
      t.is(clock.timerCount, 0);
    });
  }
}

test('the waits between tries grow over closes that fail, and begin anew when the file is stored', async (t) => {
  const { clock, fixture, client } = makeFixture(t);
  let tries = 0;
  const fail = () => {
    fixture.store.beforeRequest = (method) => {
      if (method !== 'put') return;
      tries += 1;
      throw new StoreError('ServerError', 'put f: the server failed');
    };
  };
  /** By the close, and by the background at once; then the background waits. */
  const failToWrite = async () => {
    fail();
    await t.throwsAsync(client.writeFile('f', 'x'), { code: 'EIO' } as never);
    await manyTurns();
    const before = tries;
    return async (ms: number) => {
      clock.advance(ms);
      await manyTurns();
      return tries - before;
    };
  };
  const afterTwo = await failToWrite();
  t.is(await afterTwo(1_900), 0);
  const afterFour = await failToWrite();
  t.is(await afterFour(7_900), 0);
  t.is(await afterFour(200), 1);
  fixture.store.beforeRequest = () => undefined;
  await client.writeFile('f', 'y');
  const anew = await failToWrite();
  t.is(await anew(1_900), 0);
  t.is(await anew(200), 1);
});
