import test from 'ava';
import {
  encodeInvalidateEntry,
  encodeInvalidateInode,
  KernelCacheDropper,
} from '../../src/fuse/kernel-cache-dropper.js';
import type { Log } from '../../src/log.js';

const ignore = () => undefined;
const log: Log = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

/** Notifications that wait until they are let go. */
class SlowDevice {
  readonly underWay: (() => void)[] = [];
  sent = 0;

  notify(): Promise<void> {
    this.sent++;
    return new Promise((resolve) => this.underWay.push(resolve));
  }
}

test('an inode is dropped by fuse_notify_inval_inode_out', (t) => {
  t.is(
    encodeInvalidateInode(7, -1).toString('hex'),
    '28000000' +
      '02000000' +
      '0000000000000000' +
      '0700000000000000' +
      'ffffffffffffffff' +
      '0000000000000000',
  );
});

test('an entry is dropped by fuse_notify_inval_entry_out', (t) => {
  t.is(
    encodeInvalidateEntry(1, 'ä').toString('hex'),
    '23000000' + '03000000' + '0000000000000000' + '0100000000000000' + '02000000' + '00000000' + 'c3a400',
  );
});

test('few notifications are under way at once, and the same wish waits only once', async (t) => {
  const device = new SlowDevice();
  const caches = new KernelCacheDropper(device, log);
  const dropped = [1, 2, 3, 3, 3].map((inode) => caches.dropInode(inode, 0));
  t.is(device.sent, 2);
  for (let count = 0; count < 3; count++) {
    device.underWay.shift()?.();
    await Promise.race(dropped.slice(count));
  }
  await Promise.all(dropped);
  t.is(device.sent, 3);
});

test('a wish for what is being dropped right now is carried out again', async (t) => {
  const device = new SlowDevice();
  const caches = new KernelCacheDropper(device, log);
  const first = caches.dropInode(1, 0);
  const second = caches.dropInode(1, 0);
  t.is(device.sent, 2);
  for (const finish of device.underWay) finish();
  await Promise.all([first, second]);
});

test('a kernel that does not want to hear is no error', async (t) => {
  const caches = new KernelCacheDropper({ notify: () => Promise.reject(new Error('EINVAL')) }, log);
  await t.notThrowsAsync(caches.dropEntry(1, 'name'));
});

test('closing waits for what is under way and forgets the rest', async (t) => {
  const device = new SlowDevice();
  const caches = new KernelCacheDropper(device, log);
  const dropped = [1, 2, 3].map((inode) => caches.dropInode(inode, 0));
  t.true(caches.isBusy);
  const closed = caches.close();
  await dropped[2];
  for (const finish of device.underWay) finish();
  await closed;
  await Promise.all(dropped);
  t.is(device.sent, 2);
  t.false(caches.isBusy);
  await caches.dropInode(4, 0);
  t.is(device.sent, 2);
});
