/** What has to be stored, or need not be, while somebody else has the file open. */
import test from 'ava';
import { StoreError } from '../../src/errors.js';
import { turnsUntil } from '../patience.js';
import { readFlags, writeFlags } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';

for (const [who, flags] of Object.entries({
  reader: readFlags,
  'writer that has changed nothing': writeFlags,
})) {
  test(`truncate by path is stored when it returns, beside a ${who} as well`, async (t) => {
    const fixture = new Fixture(t);
    const { client, fs } = fixture.mount();
    await client.writeFile('f', 'a log of some length');
    const other = await client.open('f', flags);
    await client.setAttributes('f', { size: 5 });
    t.is(fixture.store.contentOf('f')?.toString(), 'a log');
    t.deepEqual(fs.pendingKeys(), []);
    t.is((await other.read(0, 100)).toString(), 'a log');
    await other.close();
  });
}

test('truncate by path of a file that is being written stores that as well, as fsync does', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  const file = await client.create('f');
  await file.write(0, 'half of it');
  await client.setAttributes('f', { size: 4 });
  t.is(fixture.store.contentOf('f')?.toString(), 'half');
  await file.write(4, ' and all');
  await file.close();
  t.is(fixture.store.contentOf('f')?.toString(), 'half and all');
});

test('truncate by path that fails says so, and is stored in the background though a reader goes on', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.writeFile('f', 'a log of some length');
  const reader = await client.open('f');
  let isAway = true;
  fixture.store.beforeRequest = (method) => {
    if (method === 'put' && isAway) throw new StoreError('ServerError', 'away');
  };
  await t.throwsAsync(client.setAttributes('f', { size: 5 }), { code: 'EIO' } as never);
  isAway = false;
  await turnsUntil('it is stored', () => fixture.store.contentOf('f')?.toString() === 'a log');
  await reader.close();
});

test('what a failed close left is stored in the background though a reader goes on', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.writeFile('f', 'before');
  const reader = await client.open('f');
  const writer = await client.open('f', writeFlags);
  await writer.write(0, 'change');
  fixture.store.failNext('put', 'ServerError');
  await t.throwsAsync(writer.close(), { code: 'EIO' } as never);
  await turnsUntil('it is stored', () => fixture.store.contentOf('f')?.toString() === 'change');
  await reader.close();
});

for (const what of ['unlink', 'rename'] as const) {
  test(`a failed ${what} of a file that is open leaves it as it was, and no reader's close sends it again`, async (t) => {
    const fixture = new Fixture(t);
    const { client, fs } = fixture.mount();
    await client.writeFile('f', 'content');
    await client.writeFile('other', 'other content');
    const reader = await client.open('f');
    fixture.store.beforeRequest = (method) => {
      if (method === 'delete' || method === 'copy') throw new StoreError('AccessDenied', 'denied');
    };
    const removing = what === 'unlink' ? client.unlink('f') : client.rename('other', 'f');
    await t.throwsAsync(removing, { code: 'EACCES' } as never);
    t.deepEqual(fs.pendingKeys(), []);
    t.is((await reader.read(0, 100)).toString(), 'content');
    fixture.store.resetCounters();
    await reader.close();
    await fs.stop();
    t.is(fixture.store.requestCount(), 0);
    t.is(fixture.store.contentOf('f')?.toString(), 'content');
  });
}

test('what is written while a removal fails is stored by the close', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.writeFile('f', 'content');
  const writer = await client.open('f', writeFlags);
  let deny: () => void = () => undefined;
  const denied = new Promise<void>((_, reject) => (deny = () => reject(new StoreError('AccessDenied', ''))));
  fixture.store.beforeRequest = (method) => (method === 'delete' ? denied : undefined);
  const removing = t.throwsAsync(client.unlink('f'), { code: 'EACCES' } as never);
  await turnsUntil('it is being removed', () => fixture.store.requestCount('delete') === 1);
  await writer.write(0, 'changed');
  deny();
  await removing;
  await writer.write(7, ' twice');
  await writer.close();
  t.is(fixture.store.contentOf('f')?.toString(), 'changed twice');
});
