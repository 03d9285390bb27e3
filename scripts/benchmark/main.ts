/**
 * scripts/bench without its set-up: measures, and writes results.json, results.md and plots. Usage: main.js WORK_DIRECTORY
 * OPTIONS; what is left in WORK_DIRECTORY, mounts and servers included, scripts/bench puts away.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { connectToBucket } from './bucket.js';
import { makeCustomerKey } from './customer-key-files.js';
import { describeEnvironment, readLoad } from './environment.js';
import { makeJobs, shapedJobNames } from './jobs.js';
import type { Setting, SettingResults } from './measurements.js';
import { OptionError, parseOptions, type BenchOptions } from './options.js';
import { writeReport, type Report } from './report.js';
import { emptyResults, runSetting } from './run-setting.js';
import { startServer } from './server.js';
import { sizesOf } from './sizes.js';
import { makeSourceFiles, putSharedObjects } from './source-files.js';
import type { Work } from './work.js';

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
  const sizes = sizesOf[options.scale];
  const report: Report = {
    complete: false,
    environment: await describeEnvironment(),
    options,
    sizes,
    settings: [],
    loadAtEnd: [],
  };
  const settings: Setting[] = options.nodelay.map((nodelay) => ({ nodelay, delayMs: 0 }));
  const source = path.join(workDirectory, 'source');
  const key = await makeCustomerKey(workDirectory);
  const rgw = path.join(workDirectory, 'rgw');
  try {
    say('making the files to be copied');
    await makeSourceFiles(source, sizes, signal);
    let hasShared = false;
    for (const setting of settings) {
      say(`starting Ceph with tcp_nodelay=${setting.nodelay}`);
      const server = await startServer(rgw, setting, undefined, signal);
      const bucket = await connectToBucket('bench', server, key);
      const { limitSeconds } = options;
      const work: Work = {
        ...{ directory: workDirectory, source, key, server, bucket, limitSeconds, signal, say },
        namespace: undefined,
      };
      if (!hasShared) {
        say('putting the objects to be read');
        await bucket.create();
        await putSharedObjects(work);
        hasShared = true;
      }
      const names =
        setting.delayMs === 0 ? options.jobs : options.jobs.filter((name) => shapedJobNames.includes(name));
      const jobs = makeJobs(names, sizes);
      const results: SettingResults = emptyResults({ setting, jobs });
      report.settings.push(results);
      await runSetting({ setting, jobs, programs: options.programs, rounds: options.rounds }, results, work);
      await writeReport(options.output, report);
    }
    report.complete = true;
  } finally {
    report.loadAtEnd = await readLoad();
    await writeReport(options.output, report, say);
  }
  return 0;
}

class Interrupted extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('interrupted');
    this.exitCode = exitCode;
  }
}

function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
