/** Reads what `fio --output-format=json` prints. Pure. */

/** MiB/s over all jobs of a `group_reporting` run. Throws if fio reports an error, or nothing was moved. */
export function fioThroughput(report: string, direction: 'read' | 'write'): number {
  // fio may print warnings before the report.
  const begin = report.indexOf('{');
  const parsed: unknown = begin < 0 ? undefined : JSON.parse(report.slice(begin));
  const jobs = isObject(parsed) && Array.isArray(parsed['jobs']) ? (parsed['jobs'] as unknown[]) : [];
  let bytesPerSecond = 0;
  for (const job of jobs) {
    if (!isObject(job)) continue;
    if (job['error'] !== 0) throw new Error(`fio reports error ${String(job['error'])}`);
    const side = job[direction];
    if (isObject(side) && typeof side['bw_bytes'] === 'number') bytesPerSecond += side['bw_bytes'];
  }
  if (bytesPerSecond === 0) throw new Error(`fio moved nothing: ${report.slice(0, 200)}`);
  return bytesPerSecond / 2 ** 20;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
