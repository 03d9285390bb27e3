// Pipes, sockets and devices: empty objects that say in their metadata what they are, as s3fs stores them.
import test from 'ava';
import { rootInode } from '../../src/file-system.js';
import { Fixture, metadataTtlMs } from './file-system-fixture.js';

const types = { pipe: 0o010000, socket: 0o140000, character: 0o020000, block: 0o060000 };
/** 259, 1000. */
const deviceNumber = 0x31_03e8;

for (const [name, type] of Object.entries(types)) {
  const isDevice = name === 'character' || name === 'block';

  test(`a ${name} node is stored, shown by every mount, and keeps its kind through chmod and mv`, async (t) => {
    const fixture = new Fixture(t);
    const { client, fs } = fixture.mount();
    const entry = await fs.makeNode(
      { parent: rootInode, name: 'node', mode: type | 0o640, deviceNumber: isDevice ? deviceNumber : 0 },
      client.call,
    );
    t.is(entry.attributes.mode, type | 0o640);
    fs.forget(entry.inode, 1);
    t.is(fixture.store.contentOf('node')?.length, 0);
    const metadata = fixture.store.objects.get('node')?.info.metadata;
    t.is(metadata?.['mode'], String(type | 0o640));
    t.is(metadata?.['rdev'], isDevice ? String(deviceNumber) : undefined);
    await client.setAttributes('node', { mode: 0o600 });
    await client.rename('node', 'moved');
    await fs.synchronizeAll('what is closed');
    const other = fixture.mount().client;
    const { mode, size, deviceNumber: shown } = await other.stat('moved');
    t.deepEqual([mode, size, shown], [type | 0o600, 0, isDevice ? deviceNumber : undefined]);
    t.is((await other.listPlus('')).get('moved')?.mode, type | 0o600);
    await other.unlink('moved');
    t.is(fixture.store.contentOf('moved'), undefined);
  });
}

test('a name that is taken is not made again', async (t) => {
  const { client, fs } = new Fixture(t).mount();
  await client.writeFile('f', 'text');
  await t.throwsAsync(
    fs.makeNode({ parent: rootInode, name: 'f', mode: types.pipe | 0o600, deviceNumber: 0 }, client.call),
    {
      code: 'EEXIST',
    } as never,
  );
});

test('what s3fs stored as a device or a pipe is one, and an object with content is a file whatever its mode says', async (t) => {
  const fixture = new Fixture(t);
  const metadataOf = (type: number) => ({ metadata: { mode: String(type | 0o644), uid: '0', gid: '0' } });
  fixture.store.putForeign('device', '', metadataOf(types.character));
  fixture.store.putForeign('pipe', '', metadataOf(types.pipe));
  fixture.store.putForeign('full', 'text', metadataOf(types.pipe));
  const { client } = fixture.mount();
  t.is((await client.stat('device')).mode, types.character | 0o644);
  t.is((await client.stat('device')).deviceNumber, 0);
  t.is((await client.stat('pipe')).mode, types.pipe | 0o644);
  t.is((await client.stat('full')).mode, 0o100644);
  t.is((await client.readFile('full')).toString(), 'text');
  fixture.store.putForeign('pipe', 'a file by now');
  fixture.clock.advance(metadataTtlMs);
  t.is((await client.readFile('pipe')).toString(), 'a file by now');
});

test('a listing that does not know says nothing of the type of an empty object', async (t) => {
  const fixture = new Fixture(t);
  fixture.store.putForeign('pipe', '', { metadata: { mode: String(types.pipe | 0o644) } });
  const { client } = fixture.mount();
  t.is((await client.listEntries(''))[0]?.type, 0);
  await client.stat('pipe');
});
