// The owner, group and mode that a mount shows of everything, as s3fs's options do, and what is stored meanwhile.
import test from 'ava';
import { Fixture } from './file-system-fixture.js';

const defaults = { uid: 1000, gid: 1000, filePermissions: 0o644, directoryPermissions: 0o755 };
const metadata = { uid: '33', gid: '33', mode: String(0o100640) };

test('owner, group and mode of the mount take the place of the stored ones, each by itself', async (t) => {
  const fixture = new Fixture(t);
  fixture.store.putForeign('f', 'x', { metadata });
  const shown = async (overrides: object) => {
    const { client } = fixture.mount({ defaults: { ...defaults, overrides } });
    const { uid, gid, mode } = await client.stat('f');
    return [uid, gid, mode.toString(8)];
  };
  t.deepEqual(await shown({}), [33, 33, '100640']);
  t.deepEqual(await shown({ uid: 7 }), [7, 33, '100640']);
  t.deepEqual(await shown({ gid: 7 }), [33, 7, '100640']);
  t.deepEqual(await shown({ uid: 7, gid: 8, permissions: 0o770 }), [7, 8, '100770']);
});

test('what programs set is stored and not shown', async (t) => {
  const fixture = new Fixture(t);
  const overrides = { uid: 7, permissions: 0o770 };
  const { client, fs } = fixture.mount({ defaults: { ...defaults, overrides } });
  await client.writeFile('f', 'mine');
  await client.withInode('f', (inode) =>
    fs.setAttributes({ inode, changes: { mode: 0o100600, uid: 5 } }, client.call),
  );
  const { uid, mode } = await client.stat('f');
  t.deepEqual([uid, mode], [7, 0o100770]);
  await fs.synchronizeAll('what is closed');
  t.like(fixture.store.objects.get('f')?.info.metadata, { uid: '5', mode: String(0o100600) });
});

test('access(2) goes by what is shown', async (t) => {
  const fixture = new Fixture(t);
  fixture.store.putForeign('f', 'x', { metadata });
  const { client, fs } = fixture.mount({ defaults: { ...defaults, overrides: { uid: 1000 } } });
  await t.notThrowsAsync(client.withInode('f', (inode) => fs.access({ inode, mask: 4 }, client.call)));
  const { client: other, fs: otherFs } = fixture.mount();
  await t.throwsAsync(
    other.withInode('f', (inode) => otherFs.access({ inode, mask: 4 }, other.call)),
    { message: /permission denied/ },
  );
});
