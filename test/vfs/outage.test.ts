// A server that fails for a while, or for good, below the real retries: programs get their bytes or an error, never short data.
import test, { type ExecutionContext } from 'ava';
import { StoreError, type StoreErrorCode } from '../../src/errors.js';
import { RetryingObjectStore } from '../../src/s3/retrying-object-store.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { readFlags } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';
import { patientPolicy } from './patient-policy.js';

/** More than is fetched when it is opened. */
const content = Buffer.alloc(200_000, 'content');

/** The server fails until `outageMs` have passed, on a clock that only the waits between attempts move. */
function failingFor(t: ExecutionContext, code: StoreErrorCode, outageMs: number) {
  const memory = new MemoryObjectStore({ minPartSize: 64 });
  const { policy, nowMs } = patientPolicy();
  let endsMs = 0;
  memory.beforeRequest = () => {
    if (nowMs() < endsMs) throw new StoreError(code, 'the server fails');
  };
  const fixture = new Fixture(t, memory);
  fixture.store.putForeign('f', content);
  const { client } = fixture.mount({ store: new RetryingObjectStore(memory, policy), metadataTtlMs: 0 });
  return {
    client,
    fail: () => (endsMs = nowMs() + outageMs),
    recover: () => (endsMs = 0),
  };
}

for (const code of ['CorruptReply', 'InvalidRequest', 'AccessDenied'] as const) {
  test(`one object that the server answers ${code} for does not hide the others of its directory`, async (t) => {
    const fixture = new Fixture(t);
    for (const name of ['a', 'bad', 'c']) fixture.store.putForeign(`d/${name}`, name);
    fixture.store.beforeRequest = (method, key) => {
      if (method === 'head' && key === 'd/bad') throw new StoreError(code, 'no sense in it');
    };
    const { client } = fixture.mount();
    const listed = await client.listPlus('d');
    t.deepEqual([...listed.keys()], ['a', 'bad', 'c']);
    t.is((await client.stat('d/bad')).mode & 0o777, 0);
    t.is(await client.readFile('d/c').then(String), 'c');
  });
}

const failures: readonly StoreErrorCode[] = ['Throttled', 'ServerError', 'Unreachable', 'Timeout'];

for (const code of failures) {
  test(`a server that answers ${code} for 50 seconds is waited for by every operation`, async (t) => {
    const { client, fail } = failingFor(t, code, 50_000);
    const file = await client.open('f', readFlags);
    fail();
    t.true((await file.read(0, content.length)).equals(content));
    await file.close();
    for (const operation of [
      () => client.stat('f'),
      () => client.listEntries(''),
      () => client.writeFile('new', 'x'),
      () => client.makeDirectory('d'),
      () => client.rename('f', 'g'),
    ]) {
      fail();
      await t.notThrowsAsync(operation());
    }
    t.true((await client.readFile('g')).equals(content));
  });

  test(`a server that answers ${code} for longer is an error that no program takes for the end`, async (t) => {
    const { client, fail, recover } = failingFor(t, code, Infinity);
    const errno = code === 'Timeout' ? 'ETIMEDOUT' : 'EIO';
    const file = await client.open('f', readFlags);
    const fails = (attempt: Promise<unknown>) => t.throwsAsync(attempt, { code: errno } as never);
    fail();
    await fails(file.read(0, content.length));
    await fails(client.open('f', readFlags));
    await fails(client.listEntries(''));
    await fails(client.makeDirectory('d'));
    await fails(client.rename('f', 'g'));
    await fails(client.writeFile('new', 'x'));
    recover();
    t.true((await file.read(0, content.length)).equals(content));
    await file.close();
    t.true((await client.readFile('f')).equals(content));
  });
}
