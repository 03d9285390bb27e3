// What the server refuses to store is told once, kept, and tried seldom; what fails for a moment is tried soon.
import test, { type ExecutionContext } from 'ava';
import { FsError, StoreError, type StoreErrorCode } from '../../src/errors.js';
import { HeldClock } from '../clock.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { manyTurns } from '../patience.js';
import { Fixture, type LogLine } from './file-system-fixture.js';

const refusals: readonly StoreErrorCode[] = [
  'AccessDenied',
  'EncryptionBlocked',
  'EntityTooLarge',
  'InvalidRequest',
  'QuotaExceeded',
];

function makeFixture(t: ExecutionContext) {
  const clock = new HeldClock();
  const fixture = new Fixture(t, new MemoryObjectStore({ minPartSize: 64 }), clock);
  return { clock, fixture };
}

function told(lines: readonly LogLine[]): number {
  return lines.filter(({ level }) => level === 'error' || level === 'warn').length;
}

for (const code of refusals) {
  test(`a file that is refused with ${code} is told once with its reason, kept, and tried now and then`, async (t) => {
    const { clock, fixture } = makeFixture(t);
    const { client, fs, lines } = fixture.mount();
    let tries = 0;
    fixture.store.beforeRequest = (method) => {
      if (method !== 'put') return;
      tries += 1;
      throw new StoreError(code, 'put ro: no (HTTP 403)');
    };
    await t.throwsAsync(client.writeFile('ro', 'x'), { instanceOf: FsError });
    t.deepEqual(fs.pending(), [{ path: 'ro', reason: { text: 'no (HTTP 403)', isRefused: true } }]);
    await manyTurns();
    t.is(tries, 2, 'by its close, and by the background at once');
    for (let minute = 0; minute < 60; minute += 1) {
      clock.advance(60_000);
      await manyTurns();
    }
    t.true(tries >= 5 && tries <= 9, `${tries} tries in an hour`);
    t.is(told(lines), 1);
    fixture.store.beforeRequest = () => undefined;
    clock.advance(900_000);
    await manyTurns();
    t.is(fixture.store.contentOf('ro')?.toString(), 'x');
    t.deepEqual(fs.pending(), []);
  });
}

test('what fails for a moment is tried soon, and is no refusal', async (t) => {
  const { clock, fixture } = makeFixture(t);
  const { client, fs } = fixture.mount();
  fixture.store.beforeRequest = (method, key) => {
    if (method === 'put') throw new StoreError('ServerError', `put ${key}: the server failed`);
  };
  await t.throwsAsync(client.writeFile('f', 'x'), { code: 'EIO' } as never);
  t.deepEqual(fs.pending(), [{ path: 'f', reason: { text: 'the server failed', isRefused: false } }]);
  await manyTurns();
  fixture.store.beforeRequest = () => undefined;
  clock.advance(2_001); // the second wait, after its close and the background have failed
  await manyTurns();
  t.is(fixture.store.contentOf('f')?.toString(), 'x');
});

test('the end of a mount tries what was refused at once, and seldom after that', async (t) => {
  const { clock, fixture } = makeFixture(t);
  const { client, fs, lines } = fixture.mount();
  let tries = 0;
  fixture.store.beforeRequest = (method) => {
    if (method !== 'put') return;
    tries += 1;
    throw new StoreError('AccessDenied', 'put f: access denied');
  };
  await t.throwsAsync(client.writeFile('f', 'x'), { code: 'EACCES' } as never);
  await manyTurns();
  const before = tries;
  let isOver = false;
  const stopped = fs.stop().then(() => (isOver = true));
  await manyTurns();
  t.is(tries, before + 1);
  const saidBefore = told(lines);
  for (let second = 0; second < 59; second += 1) {
    clock.advance(1_000);
    await manyTurns();
  }
  t.true(tries <= before + 2);
  t.is(told(lines), saidBefore);
  t.false(isOver);
  fixture.store.beforeRequest = () => undefined;
  clock.advance(900_000);
  await stopped;
  t.is(fixture.store.contentOf('f')?.toString(), 'x');
});

for (const kind of ['file', 'directory'] as const) {
  test(`attributes of a ${kind} that the server refuses do not keep a mount from ending`, async (t) => {
    const { fixture } = makeFixture(t);
    const { client, fs } = fixture.mount({ attributeDelayMs: 1_000_000 });
    if (kind === 'file') await client.writeFile('it', 'x');
    else await client.makeDirectory('it');
    await fs.synchronizeAll('everything');
    const before = (await client.stat('it')).mode;
    await client.setAttributes('it', { mode: 0o700 });
    fixture.store.beforeRequest = (method) => {
      if (method === 'put' || method === 'copy')
        throw new StoreError('AccessDenied', `${method} it: access denied`);
    };
    await fs.synchronizeAll('everything');
    t.is((await client.stat('it')).mode, before);
    await t.notThrowsAsync(fs.stop());
  });
}
