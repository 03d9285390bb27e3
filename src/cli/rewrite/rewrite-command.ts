/** `osirisfs rekey` and `osirisfs encrypt`: bring objects under another customer key, or under one at all. */
import type { Argv } from 'yargs';
import type { AccessConfig } from '../../config.js';
import { printable } from '../../printable.js';
import { parsePath } from '../../setting-values.js';
import { Progress } from '../../transfer/progress.js';
import { rewriteAll, RewriteSummary } from '../../transfer/rewrite-all.js';
import {
  bucketOptions,
  describeBucketOptions,
  readAccessConfig,
  sourcesEpilogue,
} from '../bucket-options.js';
import { type KnownOptions, type ParsedArguments, positionalOf, switchOf, textOf } from '../command-line.js';
import { CommandError, UsageError } from '../command-errors.js';
import { exitFailure } from '../explain-error.js';
import { formatBytes, ProgressDisplay } from '../progress-display.js';
import { untilInterrupted } from '../stop-signal.js';
import { announce, complain } from '../terminal.js';

export const rekeyUsage = 'rekey <bucket>';
export const rekeyDescription = 'bring the objects in BUCKET[/PREFIX] from one customer key under another';
export const encryptUsage = 'encrypt <bucket>';
export const encryptDescription = 'encrypt the objects in BUCKET[/PREFIX] that are not encrypted';

const rekeyForm = { withKeyFile: false };
const encryptForm = { withKeyFile: true };

export const rekeyOptions: KnownOptions = bucketOptions(rekeyForm, {
  values: ['from', 'to'],
  switches: ['dry-run'],
});
export const encryptOptions: KnownOptions = bucketOptions(encryptForm, { values: [], switches: ['dry-run'] });

const rewriteEpilogue = [
  'Each object is read, written again and read back to compare; metadata, times and Content-Type stay. The',
  'old version can be read until the new one is complete. What somebody else replaces meanwhile is left to',
  'them. After an interruption the same command goes on: what is done already is passed over. The bytes pass',
  'through this machine.',
].join('\n');

export function describeRekeyOptions(yargs: Argv): Argv {
  return describeShared(describeBucketOptions(yargs, rekeyForm))
    .option('from', { type: 'string', requiresArg: true, describe: 'FILE: the key that they are under' })
    .option('to', { type: 'string', requiresArg: true, describe: 'FILE: the key that they are to be under' })
    .example('$0 rekey data --from old.key --to new.key --dry-run', 'how much is there to do?')
    .example('$0 rekey data --from old.key --to new.key', 'do it');
}

export function describeEncryptOptions(yargs: Argv): Argv {
  return describeShared(describeBucketOptions(yargs, encryptForm)).example(
    '$0 encrypt data/2024 --key-file data.key',
    'bring what was uploaded without a key under it',
  );
}

function describeShared(yargs: Argv): Argv {
  return yargs
    .positional('bucket', { type: 'string', demandOption: true, describe: 'BUCKET or BUCKET/PREFIX' })
    .option('dry-run', { type: 'boolean', describe: 'only name the objects that would be written again' })
    .epilogue([rewriteEpilogue, sourcesEpilogue].join('\n\n'));
}

/** Resolves with the exit code: 1 if an object could not be rewritten. */
export async function runRekey(parsed: ParsedArguments): Promise<number> {
  const keyFiles = [keyFileOf(parsed, 'to'), keyFileOf(parsed, 'from')];
  const config = await readAccessConfig(parsed, positionalOf(parsed, 'bucket'), { keyFiles });
  return await rewrite(config, switchOf(parsed, 'dry-run') ?? false, true);
}

/** Resolves with the exit code: 1 if an object could not be rewritten. */
export async function runEncrypt(parsed: ParsedArguments): Promise<number> {
  const config = await readAccessConfig(parsed, positionalOf(parsed, 'bucket'));
  return await rewrite(config, switchOf(parsed, 'dry-run') ?? false, false);
}

function keyFileOf(parsed: ParsedArguments, option: 'from' | 'to'): string {
  const text = textOf(parsed, option);
  if (text === undefined || text === '')
    throw new UsageError(`--${option} is missing: the file with the key`);
  return parsePath(text);
}

async function rewrite(config: AccessConfig, isDryRun: boolean, isRekey: boolean): Promise<number> {
  const { withBucket } = await import('../with-bucket.js');
  return await untilInterrupted((signal) =>
    withBucket(config, signal, async ({ store, keyRing }) => {
      const { fingerprint } = keyRing.first;
      const [old] = keyRing.others;
      if (isRekey && old === undefined) throw new CommandError('--from and --to are the same key');
      const progress = new Progress();
      const summary = new RewriteSummary();
      const display = new ProgressDisplay(progress);
      const say = (): void => {
        display.stop();
        announce(summaryLine(summary, fingerprint, isDryRun));
      };
      try {
        await rewriteAll(
          {
            store,
            fingerprint,
            prefix: config.prefix,
            fromFingerprint: isRekey ? old?.fingerprint : undefined,
            isDryRun,
            concurrency: config.maxConnections,
            progress,
            summary,
            onRewritten: (key) => {
              if (isDryRun) announce(printable(key));
            },
            onFailure: (key, error) => {
              display.say(`osirisfs: ${printable(key)}: ${error.message}`);
            },
          },
          signal,
        );
      } catch (error) {
        say();
        complain('not finished; the same command goes on where this one ended');
        throw error;
      }
      say();
      return summary.failed > 0 ? exitFailure : 0;
    }),
  );
}

function summaryLine(summary: RewriteSummary, fingerprint: string, isDryRun: boolean): string {
  const { rewritten, rewrittenBytes, already, notEncrypted, otherKey, changed, failed } = summary;
  const verb = isDryRun ? 'to be written again' : 'written again and verified';
  return [
    `${rewritten} objects (${formatBytes(rewrittenBytes)}) ${verb} under ${fingerprint}`,
    `${already} under it already`,
    ...(notEncrypted > 0 ? [`${notEncrypted} not encrypted, left alone`] : []),
    ...(otherKey > 0 ? [`${otherKey} under other keys, left alone`] : []),
    ...(changed > 0 ? [`${changed} replaced by others meanwhile`] : []),
    `${failed} failed`,
  ].join('; ');
}
