/** `osirisfs put`: stores files and trees in a bucket, encrypted, as a mount would. */
import path from 'node:path';
import { Progress, TransferSummary } from '../../transfer/progress.js';
import { putAll } from '../../transfer/put-all.js';
import { UploadJournal } from '../../transfer/upload-journal.js';
import { readAccessConfig } from '../bucket-options.js';
import { UsageError } from '../command-errors.js';
import { textsOf, type ParsedArguments } from '../command-line.js';
import { exitFailure } from '../explain-error.js';
import { ProgressDisplay, transferLine } from '../progress-display.js';
import { findStateDirectory } from '../state-directory.js';
import { untilInterrupted } from '../stop-signal.js';
import { announce, complain } from '../terminal.js';
import { withBucket } from '../with-bucket.js';

/** Resolves with the exit code: 1 if something could not be stored. */
export async function runPut(parsed: ParsedArguments): Promise<number> {
  const paths = textsOf(parsed, 'paths');
  const sources = paths.slice(0, -1);
  const target = paths.at(-1);
  if (target === undefined || sources.length === 0) {
    throw new UsageError('put needs SOURCE... and BUCKET[/PREFIX]; see osirisfs put --help');
  }
  const config = await readAccessConfig(parsed, target);
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

async function journalDirectory(): Promise<string> {
  const { directory, problem } = await findStateDirectory(process.env);
  if (problem !== undefined) complain(problem);
  return path.join(directory, 'uploads');
}
