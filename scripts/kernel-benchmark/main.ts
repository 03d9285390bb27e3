/**
 * The measuring half of `scripts/bench-kernel`, which gives it the directory to work in, the passthrough program and the
 * caller's directory, followed by the options, and cleans up after it. Prints the table, and writes every measurement.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { OptionError } from '../benchmark/option-values.js';
import { parseProcessorSeconds } from '../benchmark/process-usage.js';
import { startContender, type Contender, type Surroundings } from './contenders.js';
import { metadataJobs } from './file-names.js';
import { parseOptions, type ContenderName } from './options.js';
import { makeTable, type Measurement, type Unit } from './report.js';
import { runLimited } from './run-limited.js';
import { fioCommand, throughputOf, throughputJobs } from './throughput.js';

const [work = '', passthroughProgram = '', callersDirectory = '', ...argv] = process.argv.slice(2);
/** The longest that one job may take. */
const jobLimitMs = 300_000;
const metadataProgram = fileURLToPath(new URL('metadata-loop.js', import.meta.url));

try {
  await main();
} catch (error) {
  process.stderr.write(`bench-kernel: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof OptionError ? 2 : 1;
}

async function main(): Promise<void> {
  const options = parseOptions(argv, callersDirectory);
  const surroundings = { options, work, passthroughProgram };
  if (options.profileDirectory !== undefined) await mkdir(options.profileDirectory, { recursive: true });
  const loadBefore = loadavg();
  const measurements: Measurement[] = [];
  for (let round = 1; round <= options.rounds; round += 1) {
    // Each round begins with another, so that none always has the warmest machine.
    const order = options.contenders.map(
      (_, index, all) => all[(index + round - 1) % all.length] ?? 'osirisfs',
    );
    for (const name of order) {
      process.stderr.write(`round ${round}: ${name}\n`);
      measurements.push(...(await measure(name, round, surroundings)));
    }
  }
  const parameters = { rounds: options.rounds, files: options.files, sizeBytes: options.sizeBytes };
  const load = { before: loadBefore, after: loadavg() };
  await writeFile(
    options.resultsFile,
    `${JSON.stringify({ parameters, load, measurements }, undefined, 1)}\n`,
  );
  process.stdout.write(makeTable(measurements, options.contenders));
  process.stdout.write(`\nMedians of ${options.rounds} rounds; ${options.files} files, one of `);
  process.stdout.write(
    `${options.sizeBytes / 2 ** 20} MiB; load ${loadBefore.map((n) => n.toFixed(1)).join(' ')}.\n`,
  );
}

async function measure(
  name: ContenderName,
  round: number,
  surroundings: Surroundings,
): Promise<Measurement[]> {
  const { options } = surroundings;
  const contender = await startContender(name, surroundings);
  const found: Measurement[] = [];
  const take = async (job: string, unit: Unit, amount: number, work: () => Promise<number>) => {
    const { value, processorSeconds } = await observe(contender, job, work);
    const processor = processorSeconds === undefined ? undefined : processorSeconds / amount;
    found.push({ round, contender: name, job, unit, value, processor });
  };
  const isWanted = (job: string) =>
    options.jobs.length === 0 || options.jobs.some((start) => job.startsWith(start));
  for (const job of metadataJobs.filter(isWanted)) {
    await take(job, 'operations/s', options.files / 1e6, async () =>
      Number(
        await runLimited(
          process.execPath,
          [metadataProgram, contender.directory, String(options.files), job],
          jobLimitMs,
        ),
      ),
    );
  }
  const file = path.join(contender.directory, 'big');
  for (const job of throughputJobs.filter((each) => isWanted(each.name))) {
    if (job.startsWithoutFile) await runLimited('rm', ['-f', file], jobLimitMs);
    await take(job.name, 'MiB/s', options.sizeBytes / 2 ** 30, async () =>
      throughputOf(await runLimited('fio', fioCommand(job, file, options.sizeBytes), jobLimitMs), job),
    );
  }
  await contender.stop();
  await rm(path.join(surroundings.work, 'mountpoint'), { recursive: true, force: true });
  return found;
}

/** Runs one job, with a profile if one is wanted, and adds what the serving process took of the processors. */
async function observe(
  contender: Contender,
  job: string,
  work: () => Promise<number>,
): Promise<{ value: number; processorSeconds: number | undefined }> {
  await contender.beginJob(job);
  const before = await processorSeconds(contender.pid);
  const value = await work();
  const after = await processorSeconds(contender.pid);
  await contender.endJob();
  const used = before === undefined || after === undefined ? undefined : after - before;
  return { value, processorSeconds: used };
}

async function processorSeconds(pid: number | undefined): Promise<number | undefined> {
  if (pid === undefined) return undefined;
  return parseProcessorSeconds(await readFile(`/proc/${pid}/stat`, 'latin1'));
}
