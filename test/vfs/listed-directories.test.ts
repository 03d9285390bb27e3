import test from 'ava';
import { ListedDirectories } from '../../src/vfs/listed-directories.js';
import { Fixture } from './file-system-fixture.js';

test('of buckets that share a limit of listed entries, the newest listing pushes out the others', async (t) => {
  const listed = new ListedDirectories(50);
  const fixtures = [new Fixture(t), new Fixture(t)];
  for (const { store } of fixtures)
    for (let index = 0; index < 60; index += 1) store.putForeign(`f${index}`, 'x');
  const clients = fixtures.map((fixture) => fixture.mount({ listed }).client);
  for (const client of [...clients, ...clients]) {
    t.is((await client.list('')).length, 60);
    t.is(listed.entries, 60);
  }
});

test('a file system that ends leaves no listing behind', async (t) => {
  const listed = new ListedDirectories(1000);
  const fixture = new Fixture(t);
  fixture.store.putForeign('d/e/f', 'x');
  const [{ fs, client }, other] = [fixture.mount({ listed }), fixture.mount({ listed })];
  for (const path of ['', 'd', 'd/e']) await client.list(path);
  await other.client.list('');
  await fs.stop();
  t.is(listed.entries, 1);
});
