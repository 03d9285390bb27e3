import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { checkFuseSupport } from '../../src/mount/fuse-support.js';
import { MountError } from '../../src/fuse/driver.js';
import { makeDirectory } from './temporary.js';

test('a machine with the device and with fusermount3 somewhere in PATH can mount', async (t) => {
  const directory = await makeDirectory(t);
  await writeFile(path.join(directory, 'fusermount3'), '');
  await chmod(path.join(directory, 'fusermount3'), 0o755);
  await t.notThrowsAsync(
    checkFuseSupport({ devicePath: '/dev/null', searchPath: `/proc/nowhere::${directory}` }),
  );
});

test('without the device the error says how to get it', async (t) => {
  const error = await t.throwsAsync(
    checkFuseSupport({ devicePath: '/proc/nowhere/fuse', searchPath: '/usr/bin' }),
    {
      instanceOf: MountError,
    },
  );
  t.is(error.code, 'NoFuseDevice');
  t.is(
    error.message,
    '/proc/nowhere/fuse is missing: load the kernel module (modprobe fuse), or, in a container, pass the device in (--device /dev/fuse)',
  );
});

test('without fusermount3, or with one that may not be run, the error names the package', async (t) => {
  const directory = await makeDirectory(t);
  await writeFile(path.join(directory, 'fusermount3'), '', { mode: 0o644 });
  for (const searchPath of ['', '/proc/nowhere', directory]) {
    const error = await t.throwsAsync(checkFuseSupport({ devicePath: '/dev/null', searchPath }), {
      instanceOf: MountError,
    });
    t.is(error.code, 'NoFusermount');
    t.is(error.message, 'fusermount3 is not in PATH; install the package fuse3 (Debian: apt install fuse3)');
  }
});
