import { once } from 'node:events';
import { chmod, chown, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import test from 'ava';
import {
  findEntries,
  hasEnded,
  hasServingProcessEnded,
  ownPidNamespace,
  ownSocketPath,
  prepareRegistry,
  removeDeadEntries,
  removeEntry,
  writeRegistryEntry,
} from '../../../src/cli/serving/mount-registry.js';
import { runOk, start, waitUntil } from '../../mount/child.js';
import { makeDirectory } from '../../mount/temporary.js';
import { patienceMs } from '../../patience.js';

const uid = process.getuid!();
const entry = { pid: 12, mountpoint: '/mnt/a', source: 'osirisfs:bucket', socketPath: '12.sock' };

/** As its process writes it. */
const entryIn = (directory: string, stem = '12') => ({
  ...entry,
  socketPath: path.join(directory, `${stem}.sock`),
});

test('an entry is found by its mountpoint until it is removed', async (t) => {
  const environment = { XDG_RUNTIME_DIR: await makeDirectory(t) };
  const directory = await prepareRegistry(uid, environment);
  t.is(directory, path.join(environment.XDG_RUNTIME_DIR, 'osirisfs'));
  await writeRegistryEntry(entryIn(directory));
  await writeRegistryEntry({ ...entryIn(directory, '13'), pid: 13, mountpoint: '/mnt/ab' });
  t.deepEqual(await findEntries('/mnt/a', uid, environment), [entryIn(directory)]);
  t.deepEqual(await findEntries('/mnt/a', uid, environment, uid), [entryIn(directory)]);
  t.deepEqual(await findEntries('/mnt/a', uid, environment, uid + 1), [], 'somebody else has mounted it');
  await removeEntry(entryIn(directory));
  await removeEntry(entryIn(directory));
  t.deepEqual(await findEntries('/mnt/a', uid, environment), []);
  t.deepEqual(await readdir(directory), ['13.json']);
});

test('directory and entries are for their owner alone', async (t) => {
  const environment = { XDG_RUNTIME_DIR: await makeDirectory(t) };
  const directory = await prepareRegistry(uid, environment);
  await writeRegistryEntry(entryIn(directory));
  t.is((await stat(directory)).mode & 0o777, 0o700);
  t.is((await stat(path.join(directory, '12.json'))).mode & 0o777, 0o600);
});

test('a directory that others can enter is neither used nor believed', async (t) => {
  const environment = { XDG_RUNTIME_DIR: await makeDirectory(t) };
  const directory = path.join(environment.XDG_RUNTIME_DIR, 'osirisfs');
  await mkdir(directory);
  await chmod(directory, 0o755);
  await writeRegistryEntry(entryIn(directory));
  t.not(await prepareRegistry(uid, environment), directory);
  t.deepEqual(await findEntries('/mnt/a', uid, environment), []);
});

test('a runtime directory that is missing, or too long for a socket, is passed over', async (t) => {
  const directory = await makeDirectory(t);
  const long = path.join(directory, 'x'.repeat(100));
  await mkdir(long, { mode: 0o700 });
  for (const runtime of [path.join(directory, 'missing'), long]) {
    const chosen = await prepareRegistry(uid, { XDG_RUNTIME_DIR: runtime });
    t.false(chosen.startsWith(directory), chosen);
    t.is((await stat(chosen)).mode & 0o777, 0o700);
  }
});

test('files that are no entries are passed over', async (t) => {
  const environment = { XDG_RUNTIME_DIR: await makeDirectory(t) };
  const directory = await prepareRegistry(uid, environment);
  const contents = ['', 'null', '{', '{}', '{"pid":1,"mountpoint":"/mnt/a"}', '[1]'];
  for (const [index, content] of contents.entries()) {
    await writeFile(path.join(directory, `${index}.json`), content);
  }
  t.deepEqual(await findEntries('/mnt/a', uid, environment), []);
});

test('what is no file of the user, or leads elsewhere, is passed over and hangs nobody', async (t) => {
  const environment = { XDG_RUNTIME_DIR: await makeDirectory(t) };
  const directory = await prepareRegistry(uid, environment);
  const inside = (name: string) => path.join(directory, name);
  const good = JSON.stringify(entryIn(directory));
  await runOk('mkfifo', ['-m', '600', inside('1.json')]);
  await symlink('/dev/zero', inside('2.json'));
  await mkdir(inside('3.json'));
  await writeFile(inside('4.json'), good + ' '.repeat(100_000));
  await writeFile(inside('5.json'), JSON.stringify({ ...entry, socketPath: '/run/other/12.sock' }));
  await writeFile(inside('6'), good);
  await symlink(inside('6'), inside('6.json'));
  if (uid === 0) {
    await writeFile(inside('7.json'), good);
    await chown(inside('7.json'), 65534, 65534);
  }
  t.deepEqual(await findEntries('/mnt/a', uid, environment), []);
  await writeFile(inside('8.json'), good);
  t.deepEqual(await findEntries('/mnt/a', uid, environment), [entryIn(directory)]);
});

test('what dead processes left is removed, and nothing else', async (t) => {
  const environment = { XDG_RUNTIME_DIR: await makeDirectory(t) };
  const directory = await prepareRegistry(uid, environment);
  const deadPid = 2 ** 22 + 1; // above the highest pid that Linux gives
  await writeRegistryEntry({ ...entryIn(directory, `${process.pid}`), pid: process.pid });
  await writeRegistryEntry({ ...entryIn(directory, `${deadPid}`), pid: deadPid });
  for (const name of [`${process.pid}.sock`, `${deadPid}.sock`, 'other']) {
    await writeFile(path.join(directory, name), '');
  }
  await removeDeadEntries(directory);
  t.deepEqual(
    (await readdir(directory)).sort(),
    [`${process.pid}.json`, `${process.pid}.sock`, 'other'].sort(),
  );
});

test('of a process in another PID namespace the socket tells whether it is there, and its entry is another than ours', async (t) => {
  const environment = { XDG_RUNTIME_DIR: await makeDirectory(t) };
  const directory = await prepareRegistry(uid, environment);
  const own = ownSocketPath(directory, await ownPidNamespace());
  t.is(path.basename(own), `${process.pid}-${await ownPidNamespace()}.sock`);
  const alive = { ...entryIn(directory, `${process.pid}-7`), pid: process.pid, pidNamespace: '7' };
  const dead = { ...entryIn(directory, `${process.pid}-8`), pid: process.pid, pidNamespace: '8' };
  for (const each of [alive, dead]) await writeRegistryEntry(each);
  const server = net.createServer().listen(alive.socketPath);
  await once(server, 'listening');
  t.teardown(() => server.close());
  t.false(await hasServingProcessEnded(alive));
  t.true(await hasServingProcessEnded(dead));
  t.is((await findEntries('/mnt/a', uid, environment)).length, 2);
  await removeDeadEntries(directory);
  t.deepEqual(await findEntries('/mnt/a', uid, environment), [alive]);
});

test('a process at work has not ended, whatever it is called', async (t) => {
  t.false(await hasEnded(process.pid));
  const child = await start('bash', ['-c', 'printf ") Z (" >/proc/$$/comm; while :; do sleep 0.1; done']);
  t.teardown(() => child.kill('SIGKILL'));
  await waitUntil('the strange name', patienceMs, async () =>
    (await readFile(`/proc/${child.pid}/comm`, 'utf8')).includes(') Z ('),
  );
  t.false(await hasEnded(child.pid));
});

test('a process that nobody waits for has ended as soon as it is dead', async (t) => {
  const script = 'sleep 0.01 & echo $!; exec sleep 600';
  const parent = await start('bash', ['-c', script]);
  t.teardown(() => parent.kill('SIGKILL'));
  await waitUntil('the child’s pid', patienceMs, () => parent.output().endsWith('\n'));
  const pid = Number(parent.output());
  await waitUntil('the child’s end', patienceMs, () => hasEnded(pid));
  t.notThrows(() => process.kill(pid, 0), 'it is still in the table');
});

test('a pid that nobody has means that the process has ended', async (t) => {
  t.true(await hasEnded(2 ** 22 + 1));
});
