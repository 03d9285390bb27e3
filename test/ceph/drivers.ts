/** The drivers that the tests of behaviour run with, and what is expected to differ between them. */
import type { ExecutionContext } from 'ava';
import { mountBucket, type Mount, type MountRequest } from '../mount/mounting.js';
import type { Scope } from '../mount/temporary.js';
import { cephTest } from './ceph-test.js';

export interface DriverUnderTest {
  /** As `--driver` takes it. */
  readonly name: 'kernel' | 'fuse-native';
  /** What becomes of a time of 987654321.123456789 seconds. */
  readonly keptTime: string;
  /** What a program that is alone in a directory sees there of the open file that it has deleted. */
  readonly deletedOpenFile: string;
}

export const drivers: readonly [DriverUnderTest, DriverUnderTest] = [
  { name: 'kernel', keptTime: '987654321.123456789', deletedOpenFile: '' },
  { name: 'fuse-native', keptTime: '987654321.123000000', deletedOpenFile: '.fuse_hidden' },
];

/** A test of one driver, whose mounts are to be made by `mountBy`. */
export function driverTest(
  { name }: DriverUnderTest,
  title: string,
  implementation: (t: ExecutionContext) => Promise<void>,
): void {
  cephTest(name === 'kernel' ? title : `with ${name}, ${title}`, implementation);
}

export function mountBy({ name }: DriverUnderTest, scope: Scope, request: MountRequest): Promise<Mount> {
  return mountBucket(scope, { ...request, options: ['--driver', name, ...(request.options ?? [])] });
}
