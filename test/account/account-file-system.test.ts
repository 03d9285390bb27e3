import test, { type ExecutionContext } from 'ava';
import { rootInode } from '../../src/file-system.js';
import { HeldClock } from '../clock.js';
import { turnsUntil } from '../patience.js';
import { makeLog, metadataTtlMs } from '../vfs/file-system-fixture.js';
import { defaultCall, writeFlags } from '../vfs/file-system-client.js';
import { createdAtMs, idleMs, MemoryAccount } from './memory-account.js';

async function fails(t: ExecutionContext, code: string, promise: Promise<unknown>): Promise<void> {
  await t.throwsAsync(promise, { code } as never);
}

test('buckets are directories, as old as they are, and listing them opens none', async (t) => {
  const account = new MemoryAccount(t, ['two', 'one']);
  const { client, fs } = account.mount();
  t.deepEqual(await client.list('', 1), ['one', 'two']);
  const listed = await client.listPlus('');
  t.is(listed.get('one')?.mtimeNs, BigInt(createdAtMs) * 1_000_000n);
  const one = await client.stat('one');
  t.deepEqual(listed.get('one'), one);
  t.is(one.mode, 0o40755);
  t.deepEqual(fs.openBuckets(), []);
  t.deepEqual(account.calls, ['list']);
});

test('files are those of their bucket, and a bucket shows the same before and after it is opened', async (t) => {
  const account = new MemoryAccount(t, ['one', 'two']);
  const { client, fs } = account.mount();
  const before = await client.stat('one');
  await client.withInode('one', async () => {
    await client.writeFile('one/a', 'of one');
    await client.makeDirectory('two/d');
    await client.writeFile('two/d/a', 'of two');
    t.deepEqual(fs.openBuckets(), ['one', 'two']);
    t.deepEqual(
      { ...(await client.stat('one')), mtimeNs: 0n, ctimeNs: 0n },
      { ...before, mtimeNs: 0n, ctimeNs: 0n },
    );
  });
  t.deepEqual([...account.store('one').objects.keys()], ['a']);
  t.deepEqual([...account.store('two').objects.keys()], ['d/', 'd/a']);
  t.is((await client.readFile('one/a')).toString(), 'of one');
  t.is((await client.readFile('two/d/a')).toString(), 'of two');
});

test('inode numbers differ between buckets, and are the same in another mount', async (t) => {
  const account = new MemoryAccount(t, ['one', 'two']);
  const paths = ['', 'one', 'two', 'one/a', 'two/a', 'one/d', 'two/d'];
  const { client } = account.mount();
  for (const bucket of ['one', 'two']) {
    await client.writeFile(`${bucket}/a`, 'x');
    await client.makeDirectory(`${bucket}/d`);
  }
  const numbers = await Promise.all(paths.map(async (path) => (await client.stat(path)).ino));
  t.is(new Set(numbers).size, paths.length);
  const again = account.mount().client;
  t.deepEqual(await Promise.all(paths.map(async (path) => (await again.stat(path)).ino)), numbers);
  const entries = await client.listEntries('one');
  t.is(entries.find(({ name }) => name === 'a')?.ino, (await client.stat('one/a')).ino);
  const dots = new Map<string, bigint>();
  await client.withInode('one', async (inode) => {
    const { handle } = await client.fs.openDirectory({ inode }, defaultCall);
    const add = ({ name, ino }: { name: string; ino: bigint }) => dots.set(name, ino).size > 0;
    await client.fs.readDirectory({ inode, handle, offset: 0, add }, defaultCall);
    client.fs.releaseDirectory({ inode, handle });
  });
  t.is(dots.get('.'), (await client.stat('one')).ino);
  t.is(dots.get('..'), (await client.stat('')).ino);
});

test('at the top nothing but buckets can be, and they stay as they are', async (t) => {
  const account = new MemoryAccount(t, ['one']);
  const { client } = account.mount();
  await client.writeFile('one/a', 'x');
  await fails(t, 'EPERM', client.create('file'));
  await fails(t, 'EPERM', client.makeSymlink('target', 'link'));
  await fails(t, 'EPERM', client.makeDirectory('new'));
  await fails(t, 'EPERM', client.removeDirectory('one'));
  await fails(t, 'EPERM', client.unlink('one'));
  await fails(t, 'EPERM', client.rename('one', 'other'));
  await fails(t, 'EPERM', client.rename('one/a', 'a'));
  await fails(t, 'EPERM', client.setAttributes('', { mode: 0o700 }));
  await fails(
    t,
    'EPERM',
    client.fs.setExtendedAttribute(
      { inode: rootInode, name: 'user.a', value: Buffer.from('x'), mode: 'either' },
      defaultCall,
    ),
  );
  await fails(
    t,
    'ENODATA',
    client.fs.getExtendedAttribute({ inode: rootInode, name: 'user.a' }, defaultCall),
  );
  t.deepEqual(await client.fs.listExtendedAttributes({ inode: rootInode }, defaultCall), []);
  await fails(t, 'EISDIR', client.open(''));
  await fails(t, 'EINVAL', client.readLink(''));
  t.true((await client.fs.statistics(defaultCall)).blocksFree > 0);
  t.is((await client.readFile('one/a')).toString(), 'x');
});

test('from one bucket to another is EXDEV, so that programs copy', async (t) => {
  const account = new MemoryAccount(t, ['one', 'two']);
  const { client } = account.mount();
  await client.writeFile('one/a', 'x');
  await fails(t, 'EXDEV', client.rename('one/a', 'two/a'));
  const source = await client.open('one/a');
  const target = await client.create('two/b', writeFlags);
  await fails(
    t,
    'EXDEV',
    client.fs.copyFileRange({ from: source.at(0), to: target.at(0), length: 1 }, defaultCall),
  );
  await Promise.all([source.close(), target.close()]);
  await client.rename('one/a', 'one/b');
  t.is((await client.readFile('one/b')).toString(), 'x');
});

test('mkdir at the top makes a bucket where that is allowed', async (t) => {
  const account = new MemoryAccount(t, ['one'], { canMake: true });
  const { client } = account.mount();
  t.deepEqual(await client.list(''), ['one']);
  await client.makeDirectory('new');
  await client.writeFile('new/a', 'x');
  t.deepEqual(await client.list(''), ['new', 'one']);
  await fails(t, 'EEXIST', client.makeDirectory('one'));
  await fails(t, 'EINVAL', client.makeDirectory('no bucket'));
  await fails(t, 'EROFS', account.mount({ isReadOnly: true }).client.makeDirectory('newer'));
  t.deepEqual(
    account.calls.filter((call) => call.startsWith('make')),
    ['make new'],
  );
});

test('a bucket made by another client can be entered at once, and is listed after the ttl', async (t) => {
  const account = new MemoryAccount(t, ['one', 'late', 'gone']);
  const late = account.store('late');
  account.own.delete('late');
  const { client } = account.mount();
  await client.list('');
  await fails(t, 'ENOENT', client.stat('late'));
  account.own.set('late', late);
  account.clock.advance(metadataTtlMs);
  await client.list('');
  late.putForeign('a', 'x');
  t.is((await client.readFile('late/a')).toString(), 'x');
  account.own.set('later', late);
  t.is((await client.readFile('later/a')).toString(), 'x');
  t.deepEqual(await client.list(''), ['gone', 'late', 'one']);
  account.own.delete('gone');
  await fails(t, 'ENOENT', client.list('gone'));
  t.deepEqual(await client.list(''), ['late', 'later', 'one']);
});

test('names that no bucket has are asked for once in a while, and hidden files never', async (t) => {
  const account = new MemoryAccount(t, ['one']);
  const { client } = account.mount();
  for (let index = 0; index < 3; index += 1) {
    await fails(t, 'ENOENT', client.stat('missing'));
    await fails(t, 'ENOENT', client.stat('.Trash-1000'));
  }
  t.deepEqual(account.calls, ['list', 'exists missing']);
  account.clock.advance(1000);
  await fails(t, 'ENOENT', client.stat('missing'));
  t.deepEqual(account.calls, ['list', 'exists missing', 'exists missing']);
  account.clock.advance(metadataTtlMs);
  await fails(t, 'ENOENT', client.stat('missing'));
  t.deepEqual(account.calls, ['list', 'exists missing', 'exists missing', 'list', 'exists missing']);
});

test('another’s bucket is not listed, and can be entered if the server allows it', async (t) => {
  const account = new MemoryAccount(t, ['one', 'theirs', 'closed']);
  for (const name of ['theirs', 'closed']) {
    account.others.set(name, account.store(name));
    account.own.delete(name);
  }
  account.store('theirs').putForeign('a', 'x');
  account.refusals.set('closed', 'AccessDenied');
  const { client } = account.mount();
  t.deepEqual(await client.list(''), ['one']);
  t.is((await client.readFile('theirs/a')).toString(), 'x');
  await fails(t, 'EACCES', client.stat('closed'));
});

test('where listing is not allowed, buckets can be entered by name', async (t) => {
  const account = new MemoryAccount(t, ['one']);
  account.refusals.set('', 'AccessDenied');
  account.store('one').putForeign('a', 'x');
  const { client } = account.mount();
  await fails(t, 'EACCES', client.list(''));
  t.is((await client.readFile('one/a')).toString(), 'x');
  t.is((await client.stat('one')).mode, 0o40755);
  t.deepEqual(account.calls, ['list', 'exists one', 'open one']);
});

test('a bucket whose objects are under another key is shown and cannot be entered; the log says why, once', async (t) => {
  const account = new MemoryAccount(t, ['one', 'locked']);
  account.refusals.set('locked', 'WrongCustomerKey');
  const { client, lines } = account.mount();
  t.deepEqual(await client.list(''), ['locked', 'one']);
  await client.withInode('locked', async () => {
    await fails(t, 'EACCES', client.list('locked'));
    await fails(t, 'EACCES', client.stat('locked/a'));
    await fails(t, 'EACCES', client.create('locked/a'));
    account.clock.advance(metadataTtlMs);
    account.refusals.delete('locked');
    await client.writeFile('locked/a', 'x');
  });
  t.is(lines.filter(({ level }) => level === 'warn').length, 1);
  t.deepEqual(
    account.calls.filter((call) => call === 'open locked'),
    ['open locked', 'open locked'],
  );
});

test('a server that fails for a while is asked again by the next call', async (t) => {
  const account = new MemoryAccount(t, ['one']);
  account.refusals.set('one', 'Unreachable');
  const { client } = account.mount();
  await client.withInode('one', async () => {
    await fails(t, 'EIO', client.list('one'));
    account.refusals.delete('one');
    t.deepEqual(await client.list('one'), []);
  });
});

test('a bucket is opened once for all who wait for it, and whoever is interrupted leaves alone', async (t) => {
  const account = new MemoryAccount(t, ['one']);
  let open: () => void = () => undefined;
  account.beforeOpen = new Promise((resolve) => (open = resolve));
  const { client, fs } = account.mount();
  const { inode } = await fs.lookup({ parent: rootInode, name: 'one' }, defaultCall);
  const interrupt = new AbortController();
  const interrupted = fs.lookup({ parent: inode, name: 'a' }, { ...defaultCall, signal: interrupt.signal });
  const others = [client.list('one'), client.list('one')];
  interrupt.abort();
  await fails(t, 'EINTR', interrupted);
  open();
  t.deepEqual(await Promise.all(others), [[], []]);
  t.deepEqual(
    account.calls.filter((call) => call.startsWith('open')),
    ['open one'],
  );
});

test('buckets that are not used are looked for again and again, until the mount ends', async (t) => {
  const clock = new HeldClock();
  const account = new MemoryAccount(t, ['one'], { clock });
  const { client, fs } = account.mount();
  for (const content of ['x', 'y']) {
    await client.writeFile('one/a', content);
    t.deepEqual(fs.openBuckets(), ['one']);
    clock.advance(idleMs);
    await turnsUntil('the bucket is closed', () => fs.openBuckets().length === 0);
    await turnsUntil('the next look is to come', () => clock.timerCount === 1);
  }
  await fs.stop();
  t.is(clock.timerCount, 0);
});

test('a bucket that is not used for a while is closed, not while anything in it is open or known', async (t) => {
  const account = new MemoryAccount(t, ['one', 'two', 'three']);
  const { client, fs } = account.mount();
  const file = await client.create('one/a');
  await client.writeFile('two/a', 'x');
  await client.setAttributes('three', { mode: 0o700 });
  await fs.closeIdleBuckets();
  t.deepEqual(fs.openBuckets(), ['one', 'two', 'three']);
  account.clock.advance(idleMs);
  await fs.closeIdleBuckets();
  t.deepEqual(fs.openBuckets(), ['one', 'three']);
  await file.close();
  account.clock.advance(idleMs);
  const { inode } = await fs.lookup({ parent: rootInode, name: 'one' }, defaultCall);
  const { handle } = await fs.openDirectory({ inode }, defaultCall);
  account.clock.advance(idleMs);
  await fs.closeIdleBuckets();
  t.deepEqual(fs.openBuckets(), ['one', 'three']);
  fs.releaseDirectory({ inode, handle });
  await fs.closeIdleBuckets();
  t.deepEqual(fs.openBuckets(), ['three']);
  fs.forget(inode, 1);
  t.is((await client.stat('three')).mode, 0o40700);
  t.is((await client.readFile('two/a')).toString(), 'x');
  t.deepEqual(
    account.calls.filter((call) => call.startsWith('close')),
    ['close two', 'close one'],
  );
});

test('what the kernel is to forget is named by the inode that it knows', async (t) => {
  const account = new MemoryAccount(t, ['one', 'two']);
  account.store('two').putForeign('a', 'old');
  const { client, drops } = account.mount();
  await client.list('one');
  await client.withInode('two/a', async (inode) => {
    account.store('two').putForeign('a', 'new');
    await (await client.open('two/a')).close();
    t.deepEqual(drops, [`inode ${inode}`]);
  });
});

test('the end stores everything in every bucket, and says what could not be stored', async (t) => {
  const account = new MemoryAccount(t, ['one', 'two']);
  const { client, fs } = account.mount();
  for (const bucket of ['one', 'two']) {
    const file = await client.create(`${bucket}/a`);
    await file.write(0, bucket);
  }
  t.deepEqual(
    fs.pending().map(({ path }) => path),
    ['one/a', 'two/a'],
  );
  t.is(fs.openHandles, 2);
  await fs.stop();
  t.is(account.store('one').objects.size, 1);
  t.is(account.store('two').objects.size, 1);
  t.deepEqual(account.calls.slice(-2).sort(), ['close one', 'close two']);
});

test('an inode that nobody was given is stale, and forgetting it is no error', async (t) => {
  const { log } = makeLog();
  const { fs } = new MemoryAccount(t, ['one']).mount({ log });
  const unknown = 77 * 2 ** 36 + 5;
  await fails(t, 'ESTALE', fs.getAttributes({ inode: unknown }, defaultCall));
  await fails(t, 'ESTALE', fs.lookup({ parent: unknown, name: 'a' }, defaultCall));
  t.notThrows(() => fs.forget(unknown, 1));
});
