import { mkdir, realpath, rmdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Log } from '../../src/log.js';
import {
  MountpointError,
  prepareMountpoint,
  resolveMountpoint,
  type MountpointErrorCode,
} from '../../src/mount/mountpoint.js';
import { bareMount, deadMount } from '../cli/bare-mount.js';
import { isMounted, makeMountpoint } from './mounting.js';
import { makeDirectory } from './temporary.js';

const ignore = (): void => undefined;
const log: Log = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

async function refusal(t: ExecutionContext, directory: string, code: MountpointErrorCode): Promise<string> {
  const error = await t.throwsAsync(prepareMountpoint(directory, log), { instanceOf: MountpointError });
  t.is(error.code, code);
  return error.message;
}

test('an empty directory is taken, by its path without symbolic links', async (t) => {
  const directory = await realpath(await makeDirectory(t));
  await mkdir(path.join(directory, 'empty'));
  await symlink('empty', path.join(directory, 'link'));
  t.is(await prepareMountpoint(path.join(directory, 'link'), log), path.join(directory, 'empty'));
});

test('a directory that is missing, a file, or not empty is refused', async (t) => {
  const directory = await realpath(await makeDirectory(t));
  await writeFile(path.join(directory, 'file'), '');
  await symlink('nowhere', path.join(directory, 'dangling'));
  t.is(
    await refusal(t, path.join(directory, 'none'), 'Missing'),
    `${directory}/none does not exist; make it first: mkdir -p ${directory}/none`,
  );
  t.regex(await refusal(t, path.join(directory, 'none/deeper'), 'Missing'), /does not exist/);
  t.regex(await refusal(t, path.join(directory, 'dangling'), 'Missing'), /is a symbolic link to nothing/);
  t.is(
    await refusal(t, path.join(directory, 'file'), 'NotADirectory'),
    `${directory}/file is not a directory; give an empty directory`,
  );
  t.regex(
    await refusal(t, path.join(directory, 'file/sub'), 'NotADirectory'),
    /has a file where a directory is needed/,
  );
  t.is(
    await refusal(t, directory, 'NotEmpty'),
    `${directory} is not empty (2 entries); give an empty directory`,
  );
});

test('what a dead process left is removed', async (t) => {
  const directory = await makeMountpoint(t);
  await deadMount(t, directory);
  t.is(await prepareMountpoint(directory, log), directory);
  t.false(await isMounted(directory));
});

test('a dead mount of another program is left alone, with the command that removes it', async (t) => {
  const directory = await makeMountpoint(t);
  await deadMount(t, directory, 'other');
  t.is(
    await refusal(t, directory, 'LeftOver'),
    `a dead process left a mount (bare, fuse.other) on ${directory}; remove it: fusermount3 -u ${directory}`,
  );
  t.true(await isMounted(directory));
});

test('a mount that does not answer is refused in bounded time', async (t) => {
  const directory = await makeMountpoint(t);
  await bareMount(t, directory);
  t.is(
    await refusal(t, directory, 'AlreadyMounted'),
    `${directory} is already mounted (bare, fuse.osirisfs) and does not answer; unmount it first: osirisfs umount ${directory}`,
  );
});

test('a mountpoint is found through links and missing parents without touching what is mounted', async (t) => {
  const directory = await makeMountpoint(t);
  await bareMount(t, directory);
  const links = await realpath(await makeDirectory(t));
  await symlink(directory, path.join(links, 'one'));
  await symlink('one', path.join(links, 'two'));
  await symlink('loop', path.join(links, 'loop'));
  t.is(await resolveMountpoint(path.join(links, 'two')), directory);
  t.is(await resolveMountpoint(`${directory}/`), directory);
  t.is(await resolveMountpoint(path.join(links, 'loop')), path.join(links, 'loop'));
  t.is(await resolveMountpoint('/proc/nowhere/x'), '/proc/nowhere/x');
});

test('a directory is not cleaned up twice', async (t) => {
  const directory = path.join(await realpath(await makeDirectory(t)), 'mnt');
  await mkdir(directory);
  t.is(await prepareMountpoint(directory, log), directory);
  t.is(await prepareMountpoint(directory, log), directory);
  await t.notThrowsAsync(rmdir(directory));
});
