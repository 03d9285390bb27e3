/** The jobs that move the bytes of one big file, by fio: its arguments, and what it reports. Pure. */
import { fioThroughput } from '../benchmark/fio-report.js';

interface ThroughputJob {
  readonly name: string;
  readonly direction: 'read' | 'write';
  /** Beyond those that all jobs have. */
  readonly fioArguments: readonly string[];
  /** The file is made anew, and not changed in its middle. */
  readonly startsWithoutFile: boolean;
}

/** The kernel's pages of the file are dropped first, so that each byte comes from the process that serves the mount. */
const dropped = '--invalidate=1';

/** In the order in which they must run: what is read has been written, and what is reread has been read. */
export const throughputJobs: readonly ThroughputJob[] = [
  writing('write 128 KiB', '128k', 0),
  writing('write O_DIRECT 1 MiB', '1m', 1),
  writing('write 1 MiB', '1m', 0),
  reading('first read 1 MiB', '1m', 0, dropped),
  reading('reread 1 MiB', '1m', 0, dropped),
  reading('reread 128 KiB', '128k', 0, dropped),
  reading('reread O_DIRECT 1 MiB', '1m', 1, dropped),
  reading('reread O_DIRECT 128 KiB', '128k', 1, dropped),
  reading('reread from pages 1 MiB', '1m', 0, '--invalidate=0', '--pre_read=1'),
];

function writing(name: string, blockSize: string, direct: 0 | 1): ThroughputJob {
  const fioArguments = ['--rw=write', `--bs=${blockSize}`, `--direct=${direct}`, '--end_fsync=1'];
  return { name, direction: 'write', fioArguments, startsWithoutFile: true };
}

function reading(name: string, blockSize: string, direct: 0 | 1, ...more: string[]): ThroughputJob {
  const fioArguments = ['--rw=read', `--bs=${blockSize}`, `--direct=${direct}`, ...more];
  return { name, direction: 'read', fioArguments, startsWithoutFile: false };
}

/** `file` is a path whose directory exists. */
export function fioCommand(job: ThroughputJob, file: string, sizeBytes: number): string[] {
  return [
    '--name=job',
    `--filename=${file}`,
    `--size=${sizeBytes}`,
    '--ioengine=psync',
    '--fallocate=none',
    '--thread',
    '--output-format=json',
    ...job.fioArguments,
  ];
}

/** MiB/s from what fio prints. Throws if it reports an error, or that nothing was moved. */
export function throughputOf(report: string, { name, direction }: ThroughputJob): number {
  try {
    return fioThroughput(report, direction);
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
