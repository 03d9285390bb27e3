/**
 * Tests that need a real server: Ceph's gateway, or osirisfs' own, as `scripts/test` arranges. Without one they are
 * skipped, unless OSIRISFS_REQUIRE_CEPH=1 forbids that.
 */
import test, { type ExecutionContext } from 'ava';
import { hasServer, requiresServer } from '../mount/server.js';

if (!hasServer && requiresServer) {
  throw new Error('OSIRISFS_REQUIRE_CEPH=1 and no server (OSIRISFS_TEST_CEPH=1): use scripts/test');
}

/** Tests of one file run one after the other: mounts and server share this machine's cores. */
export function cephTest(title: string, implementation: (t: ExecutionContext) => Promise<void>): void {
  if (!hasServer) {
    test.skip(title, implementation);
    return;
  }
  test.serial(title, async (t) => {
    t.timeout(isFullSize ? 3_600_000 : 300_000);
    await implementation(t);
  });
}

/** OSIRISFS_TEST_SIZE=full: the sizes that osirisfs promises to handle; otherwise those that a quick run allows. */
export const isFullSize = process.env['OSIRISFS_TEST_SIZE'] === 'full';

export const mebibyte = 1024 * 1024;

export const sizes = isFullSize
  ? { bigFile: 1024 * mebibyte, smallFiles: 1000, hugeFile: 4096 * mebibyte, manyObjects: 10_000 }
  : { bigFile: 64 * mebibyte, smallFiles: 300, hugeFile: 768 * mebibyte, manyObjects: 1200 };
