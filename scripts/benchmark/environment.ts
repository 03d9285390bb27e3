/** What a result has to name to be repeated: versions, machine, load. */
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import { projectRoot } from '../../test/mount/user.js';
import { run } from '../../test/mount/child.js';

export interface Environment {
  readonly begun: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly processors: string;
  readonly memoryBytes: number;
  /** Averages over 1, 5 and 15 minutes when the run began. */
  readonly load: readonly number[];
}

const versionCommands: Readonly<Record<string, readonly string[]>> = {
  osirisfs: ['git', '-C', projectRoot, 'describe', '--always', '--dirty', '--abbrev=12'],
  s3fs: ['s3fs', '--version'],
  rclone: ['rclone', 'version'],
  curl: ['curl', '--version'],
  fio: ['fio', '--version'],
  ceph: ['radosgw', '--version'],
};

export async function describeEnvironment(): Promise<Environment> {
  const versions: Record<string, string> = {};
  for (const [name, [command = '', ...args]] of Object.entries(versionCommands)) {
    versions[name] = await firstLine(command, args);
  }
  const cpus = os.cpus();
  return {
    begun: new Date().toISOString(),
    versions: { ...versions, node: process.version, kernel: os.release() },
    processors: `${cpus.length} × ${cpus[0]?.model.trim() ?? 'unknown'}`,
    memoryBytes: os.totalmem(),
    load: await readLoad(),
  };
}

export async function readLoad(): Promise<number[]> {
  return (await readFile('/proc/loadavg', 'utf8')).split(' ').slice(0, 3).map(Number);
}

async function firstLine(command: string, args: readonly string[]): Promise<string> {
  const { code, stdout } = await run(command, args, { timeoutMs: 20_000 });
  return code === 0 ? (stdout.split('\n')[0] ?? '').trim() : 'unknown';
}
