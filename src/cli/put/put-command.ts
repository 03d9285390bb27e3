/** `osirisfs put`: stores files and trees in a bucket, encrypted, as a mount would. */
import path from 'node:path';
import type { Argv } from 'yargs';
import { Progress } from '../../transfer/progress.js';
import { putAll } from '../../transfer/put-all.js';
import { TransferSummary } from '../../transfer/transfer-summary.js';
import { UploadJournal } from '../../transfer/upload-journal.js';
import {
  bucketOptions,
  describeBucketOptions,
  readAccessConfig,
  sourcesEpilogue,
} from '../bucket-options.js';
import { type KnownOptions, type ParsedArguments, textsOf } from '../command-line.js';
import { exitFailure } from '../explain-error.js';
import { formatBytes, ProgressDisplay } from '../progress-display.js';
import { findStateDirectory } from '../state-directory.js';
import { untilInterrupted } from '../stop-signal.js';
import { announce, complain } from '../terminal.js';
import { UsageError } from '../command-errors.js';

export const putUsage = 'put <paths..>';
export const putDescription = 'store files and directories: put SOURCE... BUCKET[/PREFIX]';

const form = { withKeyFile: true };

export const putOptions: KnownOptions = bucketOptions(form);

export function describePutOptions(yargs: Argv): Argv {
  return describeBucketOptions(yargs, form)
    .positional('paths', {
      type: 'string',
      demandOption: true,
      describe: 'files and directories (DIR/. for what is in DIR only), then BUCKET or BUCKET/PREFIX',
    })
    .example('$0 put results data/2024 --key-file data.key', 'as data/2024/results/...')
    .example('$0 put a.csv b.csv data', 'as data/a.csv and data/b.csv')
    .epilogue(
      [
        'Mode, owner, times and symbolic links are kept as a mount keeps them. What is there with the same size, time',
        'and mode is passed over, and the upload of a large file that was interrupted goes on: run the same command',
        'again. The server checks every body against its MD5.',
        '',
        sourcesEpilogue,
      ].join('\n'),
    );
}

/** Resolves with the exit code: 1 if something could not be stored. */
export async function runPut(parsed: ParsedArguments): Promise<number> {
  const paths = textsOf(parsed, 'paths');
  const sources = paths.slice(0, -1);
  const target = paths.at(-1);
  if (target === undefined || sources.length === 0) {
    throw new UsageError('put needs SOURCE... and BUCKET[/PREFIX]; see osirisfs put --help');
  }
  const config = await readAccessConfig(parsed, target);
  const { withBucket } = await import('../with-bucket.js');
  return await untilInterrupted((signal) =>
    withBucket(config, signal, async ({ store, keyRing, server, listParts }) => {
      const progress = new Progress();
      const summary = new TransferSummary();
      const display = new ProgressDisplay(progress);
      const journal = new UploadJournal(await journalDirectory(), `${server}\n${config.bucket}`);
      try {
        await putAll(
          {
            store,
            fingerprint: keyRing.first.fingerprint,
            journal,
            listParts,
            sources,
            prefix: config.prefix,
            concurrency: config.maxConnections,
            progress,
            summary,
            onFailure: (message) => display.say(`osirisfs: ${message}`),
          },
          signal,
        );
      } catch (error) {
        display.stop();
        announce(transferLine(summary, 'stored'));
        complain('not finished; the same command goes on where this one ended');
        throw error;
      }
      display.stop();
      announce(transferLine(summary, 'stored'));
      return summary.failed > 0 ? exitFailure : 0;
    }),
  );
}

export function transferLine(summary: TransferSummary, verb: string): string {
  const { transferred, transferredBytes, already, failed } = summary;
  return `${transferred} ${verb} (${formatBytes(transferredBytes)}), ${already} there already, ${failed} failed`;
}

async function journalDirectory(): Promise<string> {
  const { directory, problem } = await findStateDirectory(process.env);
  if (problem !== undefined) complain(problem);
  return path.join(directory, 'uploads');
}
