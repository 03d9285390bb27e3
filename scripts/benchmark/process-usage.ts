/** What a process has used, by proc(5). */
import { readFile, writeFile } from 'node:fs/promises';
import { residentBytes } from '../../test/mount/mounting.js';

/** Linux counts processor time in these for user space, on every architecture: USER_HZ. */
const ticksPerSecond = 100;

interface UsageSpan {
  /** Since the span began. */
  end(): Promise<{ readonly residentBytes: number; readonly processorSeconds: number }>;
}

/** Begins counting: the highest resident memory from now on, and the processor seconds of all threads. */
export async function beginUsage(pid: number): Promise<UsageSpan> {
  // Sets VmHWM back to what is resident now.
  await writeFile(`/proc/${pid}/clear_refs`, '5');
  const before = parseProcessorSeconds(await readFile(`/proc/${pid}/stat`, 'utf8'));
  return {
    end: async () => ({
      residentBytes: (await residentBytes(pid)).peak,
      processorSeconds: parseProcessorSeconds(await readFile(`/proc/${pid}/stat`, 'utf8')) - before,
    }),
  };
}

/** User and system time of the line in /proc/PID/stat. The program's name in it may have spaces and parentheses. */
export function parseProcessorSeconds(line: string): number {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  // Fields 14 and 15; the third is the first one here.
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
