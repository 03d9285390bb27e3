// A rename of a directory that is cut short, and called again.
import test from 'ava';
import { StoreError } from '../../src/errors.js';
import { readFlags } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';

const count = 40;
const names = Array.from({ length: count }, (_, i) => `f${i}`);

/** Keys of the files below `prefix`. */
function filesUnder(fixture: Fixture, prefix: string): string[] {
  return [...fixture.store.objects.keys()]
    .filter((key) => key.startsWith(prefix) && !key.endsWith('/'))
    .map((key) => key.slice(prefix.length));
}

/** Renames `d` to `e` by a mount whose requests all fail from the `last`th on, as after a crash. True if it was cut short. */
async function renameUntil(fixture: Fixture, last: number): Promise<boolean> {
  const { client, fs } = fixture.mount();
  let left = last;
  fixture.store.beforeRequest = (method) => {
    if (--left < 0) throw new StoreError('Unreachable', `${method}: the process is gone`);
  };
  const outcome = await client.rename('d', 'e').then(
    () => false,
    () => true,
  );
  await fs.abandon();
  await fs.stop().catch(() => undefined); // what a process that is gone would have done
  fixture.store.beforeRequest = () => undefined;
  return outcome;
}

test('wherever it is interrupted every file has a name, and the same rename called again completes it', async (t) => {
  let interruptions = 0;
  for (let last = 1; ; last += 3) {
    const fixture = new Fixture(t);
    for (const name of names) fixture.store.putForeign(`d/${name}`, `content of ${name}`);
    fixture.store.putForeign('d/sub/g', 'deep');
    fixture.clock.advance(3000);
    const wasCutShort = await renameUntil(fixture, last);
    const either = new Set([...filesUnder(fixture, 'd/'), ...filesUnder(fixture, 'e/')]);
    t.is(either.size, count + 1, `interrupted at request ${last}`);
    fixture.clock.advance(3000);
    const { client } = fixture.mount();
    if (wasCutShort && filesUnder(fixture, 'd/').length > 0) await client.rename('d', 'e');
    t.deepEqual(filesUnder(fixture, 'd/'), []);
    t.is(filesUnder(fixture, 'e/').length, count + 1);
    t.is((await client.readFile('e/f7')).toString(), 'content of f7');
    t.is((await client.readFile('e/sub/g')).toString(), 'deep');
    if (!wasCutShort) break;
    interruptions += 1;
  }
  t.true(interruptions > 10);
});

test('an empty directory that a failed rename was to replace is there again, with its attributes', async (t) => {
  const fixture = new Fixture(t);
  fixture.store.putForeign('d/', '', { metadata: { mode: String(0o40700), title: 'source' } });
  for (const name of names) fixture.store.putForeign(`d/${name}`, `content of ${name}`);
  const metadata = { mode: String(0o40711), uid: '7', title: 'target' };
  fixture.store.putForeign('e/', '', { metadata });
  const { client, fs } = fixture.mount();
  fixture.store.beforeRequest = (method, key) => {
    if (method === 'copy' && key === 'd/f20') throw new StoreError('AccessDenied', 'refused');
  };
  await t.throwsAsync(client.rename('d', 'e'), { code: 'EACCES' } as never);
  t.deepEqual(fixture.store.objects.get('e/')?.info.metadata, metadata);
  t.is(filesUnder(fixture, 'd/').length, count);
  t.deepEqual(await client.list('e'), []);
  t.is((await client.stat('e')).mode & 0o777, 0o711);
  await client.setAttributes('e', { mode: 0o750 });
  await fs.synchronizeAll('what is closed');
  t.like(fixture.store.objects.get('e/')?.info.metadata, { ...metadata, mode: String(0o40750) });
  fixture.store.beforeRequest = () => undefined;
  await client.rename('d', 'e');
  t.deepEqual(await client.list('e'), [...names].sort());
});

test('what was changed under either name after an interruption is what the completed rename shows', async (t) => {
  const fixture = new Fixture(t);
  for (const name of names) fixture.store.putForeign(`d/${name}`, `content of ${name}`);
  fixture.clock.advance(3000);
  t.true(await renameUntil(fixture, count + 30));
  const [copied] = filesUnder(fixture, 'e/');
  fixture.clock.advance(3000);
  fixture.store.putForeign(`e/${copied}`, 'changed under the new name');
  const other = names.find((name) => name !== copied) ?? '';
  fixture.store.putForeign(`d/${other}`, 'changed under the old name');
  fixture.clock.advance(3000);
  const { client } = fixture.mount();
  await client.rename('d', 'e');
  t.is((await client.readFile(`e/${copied}`)).toString(), 'changed under the new name');
  t.is((await client.readFile(`e/${other}`)).toString(), 'changed under the old name');
});

test('another directory is not let in to a name where a rename was interrupted', async (t) => {
  const fixture = new Fixture(t);
  for (const name of names) fixture.store.putForeign(`d/${name}`, 'x');
  fixture.store.putForeign('other/f', 'y');
  t.true(await renameUntil(fixture, count + 30));
  const { client } = fixture.mount();
  await t.throwsAsync(client.rename('other', 'e'), { code: 'ENOTEMPTY' } as never);
});

test('an interrupted rename is not completed over a file that is open', async (t) => {
  const fixture = new Fixture(t);
  for (const name of names) fixture.store.putForeign(`d/${name}`, 'x');
  t.true(await renameUntil(fixture, count + 30));
  const { client } = fixture.mount();
  const [copied] = filesUnder(fixture, 'e/');
  const file = await client.open(`e/${copied}`, readFlags);
  await t.throwsAsync(client.rename('d', 'e'), { code: 'EBUSY' } as never);
  await file.close();
  await client.rename('d', 'e');
  t.is(filesUnder(fixture, 'e/').length, count);
});

test('a completed rename leaves no trace in the metadata of the directory', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.makeDirectory('d');
  await client.writeFile('d/f', 'x');
  await client.rename('d', 'e');
  const metadata = fixture.store.objects.get('e/')?.info.metadata ?? {};
  t.false(Object.keys(metadata).some((name) => name.includes('rename')));
  await client.makeDirectory('d');
  await t.throwsAsync(client.rename('d', 'e'), { code: 'ENOTEMPTY' } as never);
});

test('a renamed directory has a new ctime, as a renamed file has, and its other times stay', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.makeDirectory('d');
  await client.writeFile('d/f', 'x');
  const before = await client.stat('d');
  await client.rename('d', 'e');
  const after = await client.stat('e');
  t.true(after.ctimeNs > before.ctimeNs);
  t.is(after.mtimeNs, before.mtimeNs);
  t.is((await fixture.mount().client.stat('e')).ctimeNs, after.ctimeNs, 'it is stored');
});
