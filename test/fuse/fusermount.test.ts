import test from 'ava';
import type { DriverOptions } from '../../src/fuse/driver.js';
import { mountOptions } from '../../src/fuse/fusermount.js';
import { MemoryFileSystem } from './memory-file-system.js';

const ignore = () => undefined;
const options: DriverOptions = {
  mountpoint: '/mnt',
  fileSystem: new MemoryFileSystem(),
  source: 'osirisfs:bucket',
  readOnly: false,
  allowOther: false,
  defaultPermissions: false,
  extraOptions: [],
  log: { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore },
};

test('what was asked for is what fusermount3 hears', (t) => {
  t.is(mountOptions(options), 'rw,fsname=osirisfs:bucket,subtype=osirisfs');
  t.is(
    mountOptions({
      ...options,
      readOnly: true,
      allowOther: true,
      defaultPermissions: true,
      extraOptions: ['noexec'],
    }),
    'ro,fsname=osirisfs:bucket,subtype=osirisfs,allow_other,default_permissions,noexec',
  );
});

test('a source cannot add options', (t) => {
  t.is(mountOptions({ ...options, source: 'a,suid\\,dev' }), 'rw,fsname=a\\,suid\\\\\\,dev,subtype=osirisfs');
});

test('auto_unmount is left to the watchdog', (t) => {
  t.false(mountOptions({ ...options, extraOptions: ['auto_unmount'] }).includes('auto_unmount'));
});
