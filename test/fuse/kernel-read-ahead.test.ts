import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { raiseReadAhead } from '../../src/fuse/kernel-read-ahead.js';
import type { Log } from '../../src/log.js';
import { makeDirectory } from '../mount/temporary.js';

const ignore = () => undefined;
const log: Log = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };
const mount = {
  id: '40',
  device: '0:35',
  mountpoint: '/mnt/a',
  type: 'fuse.osirisfs',
  source: 'osirisfs:x',
  userId: 0,
};

/** A directory as /sys/class/bdi, with the setting of the mount's device and of another. */
async function makeSettings(
  t: ExecutionContext,
  kib: number,
): Promise<{ directory: string; read: () => Promise<string[]> }> {
  const directory = await makeDirectory(t);
  const files = ['0:35', '0:36'].map((device) => path.join(directory, device, 'read_ahead_kb'));
  for (const file of files) {
    await mkdir(path.dirname(file));
    await writeFile(file, `${kib}\n`);
  }
  return {
    directory,
    read: () => Promise.all(files.map(async (file) => (await readFile(file, 'utf8')).trim())),
  };
}

test('the read-ahead of the mount is raised to the largest request, and that of others stays', async (t) => {
  const { directory, read } = await makeSettings(t, 128);
  await raiseReadAhead(mount, log, directory);
  t.deepEqual(await read(), ['1024', '128']);
});

test('a read-ahead that is larger already stays', async (t) => {
  const { directory, read } = await makeSettings(t, 4096);
  await raiseReadAhead(mount, log, directory);
  t.deepEqual(await read(), ['4096', '4096']);
});

test('where the setting may not be changed, or is not there, the mount goes on without', async (t) => {
  const messages: string[] = [];
  const directory = await makeDirectory(t);
  await raiseReadAhead(mount, { ...log, debug: (_fields, message) => messages.push(message) }, directory);
  t.deepEqual(messages, ['the kernel reads ahead by its own measure']);
});
