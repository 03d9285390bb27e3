// What becomes of our version of a file when another client was faster.
import { randomBytes } from 'node:crypto';
import test from 'ava';
import { StoreError, type StoreErrorCode } from '../../src/errors.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { manyTurns, turnsUntil } from '../patience.js';
import { defaultCall, writeFlags } from './file-system-client.js';
import { Fixture, type TestMount } from './file-system-fixture.js';

const mebibyte = 1024 * 1024;
/** More than is fetched before a part is changed. */
const large = randomBytes(3 * mebibyte);
const theirs = randomBytes(200_000);
const isStale = { code: 'ESTALE' } as never;

/** What is kept beside `f`. Large buffers are compared here: a difference would take minutes to print. */
function keptOf(fixture: Fixture): Buffer[] {
  return [...fixture.store.objects.keys()]
    .filter((key) => key.startsWith('f.conflict-'))
    .map((key) => fixture.store.contentOf(key) ?? Buffer.alloc(0));
}

function keepsOnly(fixture: Fixture, expected: Buffer): boolean {
  const [kept, ...others] = keptOf(fixture);
  return kept?.equals(expected) === true && others.length === 0;
}

test('of a large file changed in part, the changes are kept beside and the rest, which is gone, is zeros', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs, lines } = fixture.mount();
  fixture.store.putForeign('f', large);
  const file = await client.open('f', writeFlags);
  await file.write(mebibyte, 'ours');
  fixture.store.putForeign('f', theirs);
  await t.throwsAsync(file.flush(), isStale);
  const expected = Buffer.alloc(large.length);
  expected.write('ours', mebibyte);
  t.true(keepsOnly(fixture, expected));
  t.true(lines.some(({ fields }) => (fields as { missingBytes?: number }).missingBytes === large.length - 4));
  await t.throwsAsync(file.close(), isStale);
  t.true(theirs.equals(await client.readFile('f')));
  t.deepEqual(fs.pendingKeys(), []);
});

test('a change to a large file that another client removed is kept beside, and the name is gone', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  fixture.store.putForeign('f', large);
  const file = await client.open('f', writeFlags);
  await file.write(large.length, 'more');
  fixture.store.objects.delete('f');
  await t.throwsAsync(file.flush(), isStale);
  t.true(keepsOnly(fixture, Buffer.concat([Buffer.alloc(large.length), Buffer.from('more')])));
  await t.throwsAsync(file.close(), isStale);
  t.false((await client.list('')).includes('f'));
  t.deepEqual(fs.pendingKeys(), []);
});

test('a whole new version of a file that another client removed is stored under its name', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  fixture.store.putForeign('f', large);
  const file = await client.open('f', { ...writeFlags, truncate: true });
  await file.write(0, 'all of it');
  fixture.store.objects.delete('f');
  await file.close();
  t.is(fixture.store.contentOf('f')?.toString(), 'all of it');
  t.deepEqual(keptOf(fixture), []);
});

test('a file that was streamed while it was written is kept beside as well, and the other version stays', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  const file = await client.create('f', { truncate: true });
  const pieces = Array.from({ length: 20 }, () => randomBytes(mebibyte / 2));
  for (const [index, piece] of pieces.entries()) await file.write((index * mebibyte) / 2, piece);
  t.true(fixture.store.requestCount('uploadPart') > 0);
  fixture.clock.advance(5000);
  fixture.store.putForeign('f', theirs, { metadata: { mtime: '5' } });
  await t.throwsAsync(file.flush(), isStale);
  t.true(fixture.store.contentOf('f')?.equals(theirs));
  t.is(fixture.store.objects.get('f')?.info.metadata['mtime'], '5');
  t.true(keepsOnly(fixture, Buffer.concat(pieces)));
  await t.throwsAsync(file.close(), isStale);
  t.true(theirs.equals(await client.readFile('f')));
  t.deepEqual(fs.pendingKeys(), []);
  t.is(fixture.store.uploads.size, 0);
});

test('whatever request fails while a streamed version is put beside, both versions stay in the bucket', async (t) => {
  for (let failing = 1; ; failing += 1) {
    const fixture = new Fixture(t);
    const { client } = fixture.mount();
    const file = await client.create('f', { truncate: true });
    const pieces = Array.from({ length: 20 }, () => randomBytes(mebibyte / 2));
    for (const [index, piece] of pieces.entries()) await file.write((index * mebibyte) / 2, piece);
    fixture.clock.advance(5000);
    fixture.store.putForeign('f', theirs);
    let left = failing;
    const fails = new Set(['copy', 'delete', 'completeUpload', 'head']);
    fixture.store.beforeRequest = (method, key) => {
      if (fails.has(method) && --left === 0) throw Object.assign(new Error(`${method} ${key}`), {});
    };
    const { error } = await file.flush().then(
      () => ({ error: undefined }),
      (error: unknown) => ({ error }),
    );
    t.not(error, undefined);
    fixture.store.beforeRequest = () => undefined;
    const contents = [...fixture.store.objects.keys()].map((key) => fixture.store.contentOf(key));
    t.true(
      contents.some((content) => content?.equals(theirs)),
      `theirs, failure ${failing}`,
    );
    await file.close().catch(() => undefined);
    const afterwards = [...fixture.store.objects.keys()].map((key) => fixture.store.contentOf(key));
    t.true(
      afterwards.some((content) => content?.equals(theirs)),
      `theirs afterwards, failure ${failing}`,
    );
    t.true(
      afterwards.some((content) => content?.equals(Buffer.concat(pieces))),
      `ours, failure ${failing}`,
    );
    if (left > 0) return;
  }
});

test('copy_file_range from a file that is replaced before the copy is stored gives ESTALE, and nothing is pending', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  fixture.store.putForeign('source', large);
  const source = await client.open('source');
  const target = await client.create('f', { truncate: true });
  const { call } = client;
  const copied = await fs.copyFileRange({ from: source.at(0), to: target.at(0), length: large.length }, call);
  t.is(copied, large.length);
  fixture.store.putForeign('source', theirs);
  await t.throwsAsync(target.flush(), isStale);
  await t.throwsAsync(target.close(), isStale);
  await source.close();
  t.false((await client.list('')).includes('f'));
  t.deepEqual(fs.pendingKeys(), []);
});

test('an upload that is aborted from outside is told, and what is left is kept beside', async (t) => {
  const fixture = new Fixture(t, new MemoryObjectStore());
  const { client, fs, lines } = fixture.mount();
  const pieces = Array.from({ length: 24 }, () => randomBytes(mebibyte));
  const file = await client.create('f', { read: false });
  for (const [i, piece] of pieces.entries()) await file.write(i * mebibyte, piece);
  t.is(fixture.store.uploads.size, 1);
  fixture.store.uploads.clear();
  await t.throwsAsync(file.close(), {
    message: /its upload was aborted from outside; ours is kept as f\.conflict/u,
  });
  const kept = [...fixture.store.objects.keys()];
  t.is(kept.length, 1);
  const content = fixture.store.contentOf(kept[0]!);
  t.is(content?.length, 24 * mebibyte);
  t.true(content?.subarray(23 * mebibyte).equals(pieces[23] as Buffer));
  t.true(lines.some(({ fields }) => 'missingBytes' in fields && Number(fields.missingBytes) > 0));
  t.deepEqual(fs.pendingKeys(), []);
  await client.writeFile('f', 'again');
  t.is(fixture.store.contentOf('f')?.toString(), 'again');
});

/** A streamed version of `f` that is about to be put beside what another client has stored. */
async function streamed(fixture: Fixture, { client }: TestMount) {
  const file = await client.create('f', { truncate: true, read: false });
  const pieces = Array.from({ length: 60 }, () => randomBytes(mebibyte / 2));
  for (const [index, piece] of pieces.entries()) await file.write((index * mebibyte) / 2, piece);
  fixture.clock.advance(5000);
  fixture.store.putForeign('f', theirs);
  return { file, ours: Buffer.concat(pieces) };
}

test('a close that is interrupted while theirs is set aside ends at once, and both versions are in the bucket soon', async (t) => {
  const fixture = new Fixture(t);
  const mount = fixture.mount();
  const { client, fs } = mount;
  const { file, ours } = await streamed(fixture, mount);
  const hasAside = () => [...fixture.store.objects.keys()].some((key) => key.endsWith('.other'));
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  let isCompleting = false;
  fixture.store.beforeRequest = (method) => {
    if (method !== 'completeUpload' || !hasAside()) return;
    isCompleting = true;
    return held;
  };
  const controller = new AbortController();
  const closing = fs.flush(
    { inode: file.inode, handle: file.handle },
    { ...defaultCall, signal: controller.signal },
  );
  await turnsUntil('ours is being completed', () => isCompleting);
  controller.abort();
  await t.throwsAsync(closing, { code: 'EINTR' } as never);
  await manyTurns();
  t.true(hasAside(), 'the completion is on its way');
  letGo();
  await turnsUntil('it is settled', () => keptOf(fixture).length === 1 && !hasAside());
  t.true(fixture.store.contentOf('f')?.equals(theirs));
  t.true(keepsOnly(fixture, ours));
  await t.throwsAsync(file.close(), isStale);
  t.true(theirs.equals(await client.readFile('f')));
  t.deepEqual(fs.pendingKeys(), []);
});

test('what a third client stores while theirs is set aside stays, and so does theirs', async (t) => {
  const fixture = new Fixture(t);
  const mount = fixture.mount();
  const { file, ours } = await streamed(fixture, mount);
  fixture.store.beforeRequest = (method, key) => {
    if (method === 'copy' && key.endsWith('.other')) fixture.store.putForeign('f', 'a third version');
  };
  await t.throwsAsync(file.close(), isStale);
  t.is(fixture.store.contentOf('f')?.toString(), 'a third version');
  const contents = [...fixture.store.objects.keys()].map((key) => fixture.store.contentOf(key));
  t.true(contents.some((content) => content?.equals(ours)));
  t.true(contents.some((content) => content?.equals(theirs)));
  t.true(mount.lines.some(({ level, fields }) => level === 'error' && 'asideKey' in fields));
});

test('of a small file changed in part, all of our version is kept beside, since the rest was read before', async (t) => {
  const fixture = new Fixture(t);
  const { client, lines } = fixture.mount();
  fixture.store.putForeign('f', 'base base');
  const file = await client.open('f', writeFlags);
  await file.write(0, 'ours');
  fixture.store.putForeign('f', 'theirs');
  await t.throwsAsync(file.close(), { message: /ours is kept as [^;]*$/u });
  t.true(keepsOnly(fixture, Buffer.from('ours base')));
  t.false(lines.some(({ message }) => message.includes('gone from the bucket')));
});

/** From now on what is under `key` is refused, for this reason. */
function refuse({ store }: Fixture, key: string, code: StoreErrorCode): void {
  const refused = new Set(['head', 'get', 'copy', 'uploadPartCopy']);
  store.beforeRequest = (method, asked) => {
    if (refused.has(method) && asked === key) throw new StoreError(code, `${method} ${asked}`);
  };
}

for (const code of ['WrongCustomerKey', 'PlaintextRefused', 'AccessDenied'] as const) {
  test(`where another client has put an object that is refused (${code}), ours is kept beside it, and told`, async (t) => {
    const fixture = new Fixture(t);
    const { client, fs, lines } = fixture.mount();
    for (const [name, isNew] of Object.entries({ f: false, g: true })) {
      if (!isNew) fixture.store.putForeign(name, 'base base');
      const file = isNew ? await client.create(name) : await client.open(name, writeFlags);
      await file.write(0, 'ours');
      fixture.store.putForeign(name, 'theirs, under another key');
      refuse(fixture, name, code);
      await t.throwsAsync(file.close(), { code: 'ESTALE', message: /ours is kept as/u } as never);
      fixture.store.beforeRequest = () => undefined;
      t.is(fixture.store.contentOf(name)?.toString(), 'theirs, under another key');
      const kept = [...fixture.store.objects.keys()].find((key) => key.startsWith(`${name}.conflict-`));
      t.is(fixture.store.contentOf(kept ?? '')?.toString(), isNew ? 'ours' : 'ours base');
    }
    t.is(lines.filter(({ level, fields }) => level === 'error' && 'keptAs' in fields).length, 2);
    t.deepEqual(fs.pendingKeys(), []);
  });
}

test('a large file whose object came under another key is kept with its changes, and zeros for what cannot be copied', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  fixture.store.putForeign('f', large);
  const file = await client.open('f', writeFlags);
  await file.write(large.length, 'more');
  refuse(fixture, 'f', 'WrongCustomerKey');
  await t.throwsAsync(file.close(), isStale);
  fixture.store.beforeRequest = () => undefined;
  t.true(keepsOnly(fixture, Buffer.concat([Buffer.alloc(large.length), Buffer.from('more')])));
  t.true(fixture.store.contentOf('f')?.equals(large));
  t.deepEqual(fs.pendingKeys(), []);
});

test('a moment without access neither loses what is to be copied nor counts as another version', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  fixture.store.putForeign('f', large);
  const file = await client.open('f', writeFlags);
  await file.write(large.length, 'more');
  refuse(fixture, 'f', 'AccessDenied');
  await t.throwsAsync(file.flush(), { code: 'EACCES' } as never);
  t.deepEqual(fs.pendingKeys(), ['f']);
  fixture.store.beforeRequest = () => undefined;
  await file.close();
  t.true(fixture.store.contentOf('f')?.equals(Buffer.concat([large, Buffer.from('more')])));
  t.deepEqual(keptOf(fixture), []);
});

test('a streamed file whose name has been taken under another key is told of, and stays here', async (t) => {
  const fixture = new Fixture(t);
  const mount = fixture.mount();
  const { file, ours } = await streamed(fixture, mount);
  refuse(fixture, 'f', 'WrongCustomerKey');
  await t.throwsAsync(file.close(), { code: 'EACCES' } as never);
  t.deepEqual(mount.fs.pendingKeys(), ['f']);
  t.true(fixture.store.contentOf('f')?.equals(theirs));
  fixture.store.beforeRequest = () => undefined;
  await mount.fs.stop();
  t.true(fixture.store.contentOf('f')?.equals(theirs));
  t.true(keepsOnly(fixture, ours));
});

for (const offsetMs of [-3_600_000, -60_000, 60_000, 3_600_000]) {
  const what = `where this machine's clock is ${Math.abs(offsetMs) / 1000} s ${offsetMs > 0 ? 'ahead' : 'behind'}`;

  test(`${what}, what was stored elsewhere before a file was made here is replaced`, async (t) => {
    const fixture = new Fixture(t);
    fixture.store.now = () => Number(fixture.clock.nowNs() / 1_000_000n) - offsetMs;
    const { client } = fixture.mount();
    await client.list('');
    fixture.store.putForeign('f', theirs);
    fixture.clock.advance(3000);
    await client.writeFile('f', 'ours');
    t.is(fixture.store.contentOf('f')?.toString(), 'ours');
    t.deepEqual(keptOf(fixture), []);
  });

  test(`${what}, what was stored elsewhere after a file was made here stays`, async (t) => {
    const fixture = new Fixture(t);
    fixture.store.now = () => Number(fixture.clock.nowNs() / 1_000_000n) - offsetMs;
    const { client } = fixture.mount();
    const file = await client.create('f', { truncate: true });
    await file.write(0, 'ours');
    fixture.clock.advance(500);
    fixture.store.putForeign('f', theirs);
    fixture.clock.advance(60_000);
    await t.throwsAsync(file.close(), isStale);
    t.true(fixture.store.contentOf('f')?.equals(theirs));
    t.true(keepsOnly(fixture, Buffer.from('ours')));
  });
}
