/**
 * scripts/bench without its set-up: measures, and writes results.json, results.md and plots. Usage: main.js WORK_DIRECTORY
 * OPTIONS; what is left in WORK_DIRECTORY, mounts and servers included, scripts/bench puts away.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { connectToBucket } from './bucket.js';
import { makeCustomerKey } from './customer-key-files.js';
import { describeEnvironment, readLoad } from './environment.js';
import type { Job } from './job.js';
import { growthJobs } from './jobs/growth-jobs.js';
import { makeJobs, shapedJobNames } from './jobs.js';
import { describeSetting, type Setting } from './measurements.js';
import { StepFailure } from './limited-run.js';
import { OptionError } from './option-values.js';
import { parseOptions, type BenchOptions } from './options.js';
import { writeReport, type Report } from './report.js';
import { emptyResults, runSetting } from './run-setting.js';
import { startServer } from './server.js';
import { makeShapedNetwork, serverAddress, type ShapedNetwork } from './shaped-network.js';
import { sizesOf } from './sizes.js';
import { makeSourceFiles, putEntries, putSharedObjects } from './source-files.js';
import type { Work } from './work.js';

class Interrupted extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('interrupted');
    this.exitCode = exitCode;
  }
}

const [directory = '', ...argv] = process.argv.slice(2);
process.exitCode = await runBench(directory, argv);

async function runBench(workDirectory: string, args: readonly string[]): Promise<number> {
  const ending = new AbortController();
  for (const [name, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ] as const) {
    process.on(name, () => ending.abort(new Interrupted(128 + number)));
  }
  try {
    const options = parseOptions(args);
    // Before hours of work.
    await mkdir(options.output, { recursive: true });
    return await measure(options, workDirectory, ending.signal);
  } catch (error) {
    const reason: unknown = ending.signal.aborted ? ending.signal.reason : error;
    if (reason instanceof Interrupted) return reason.exitCode;
    say(reason instanceof OptionError ? `${reason.message}; see scripts/bench --help` : describe(reason));
    return reason instanceof OptionError ? 2 : 1;
  }
}

async function measure(options: BenchOptions, workDirectory: string, signal: AbortSignal): Promise<number> {
  if (options.delaysMs.length > 0 && process.getuid?.() !== 0) {
    throw new OptionError('--delay makes a network namespace, which only root may');
  }
  const sizes = sizesOf[options.scale];
  const report: Report = {
    complete: false,
    environment: await describeEnvironment(),
    options,
    sizes,
    settings: [],
    loadAtEnd: [],
  };
  const preparation = { directory: workDirectory, source: path.join(workDirectory, 'source') };
  const key = await makeCustomerKey(workDirectory);
  let network: ShapedNetwork | undefined;
  try {
    if (options.delaysMs.length > 0) network = await makeShapedNetwork(path.basename(workDirectory), signal);
    say('making the files to be copied');
    await makeSourceFiles(preparation.source, sizes, signal);
    for (const [index, setting] of settingsOf(options).entries()) {
      say(`starting Ceph: ${describeSetting(setting)}`);
      const address = network === undefined ? undefined : serverAddress;
      const server = await startServer(path.join(workDirectory, 'rgw'), setting, address, signal);
      const bucket = await connectToBucket('bench', server, key);
      const { limitSeconds } = options;
      const common = { ...preparation, key, server, bucket, limitSeconds, signal, say };
      network?.setRoundTrip(setting.delayMs);
      const namespace = setting.delayMs > 0 ? network?.namespace : undefined;
      const work: Work = { ...common, namespace };
      if (index === 0) await putObjects(options, work);
      // The points of the plots are measured once: they are many.
      const growth = options.growth && index === 0 ? growthJobs(sizes) : [];
      await measureSetting(setting, [...jobsIn(setting, options), ...growth], report, work);
    }
    report.complete = true;
  } finally {
    await network?.end();
    report.loadAtEnd = await readLoad();
    await writeReport(options.output, report, say);
  }
  return 0;
}

function settingsOf({ nodelay, delaysMs }: BenchOptions): Setting[] {
  return [0, ...delaysMs].flatMap((delayMs) => nodelay.map((each) => ({ nodelay: each, delayMs })));
}

async function putObjects({ growth, scale }: BenchOptions, work: Work): Promise<void> {
  say('putting the objects to be read');
  await work.bucket.create();
  await putSharedObjects(work);
  for (const count of growth ? sizesOf[scale].growingEntries : []) await putEntries(count, work);
}

function jobsIn({ delayMs }: Setting, { jobs, scale }: BenchOptions): Job[] {
  const names = delayMs === 0 ? jobs : jobs.filter((name) => shapedJobNames.includes(name));
  return makeJobs(names, sizesOf[scale]);
}

async function measureSetting(
  setting: Setting,
  jobs: readonly Job[],
  report: Report,
  work: Work,
): Promise<void> {
  const results = emptyResults({ setting, jobs });
  report.settings.push(results);
  const { programs, rounds } = report.options;
  await runSetting({ setting, jobs, programs, rounds }, results, work);
  await writeReport(report.options.output, report);
}

function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

function describe(error: unknown): string {
  if (error instanceof StepFailure && error.cause instanceof Error) return error.cause.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
