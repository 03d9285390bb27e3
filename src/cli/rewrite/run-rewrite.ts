/** `osirisfs rekey` and `osirisfs encrypt`: bring objects under another customer key, or under one at all. */
import type { AccessConfig } from '../../settings/config.js';
import { printable } from '../../printable.js';
import { parsePath } from '../../settings/setting-values.js';
import { Progress } from '../../transfer/progress.js';
import { rewriteAll, RewriteSummary } from '../../transfer/rewrite-all.js';
import { readAccessConfig } from '../bucket-options.js';
import { CommandError, UsageError } from '../command-errors.js';
import { positionalOf, switchOf, textOf, type ParsedArguments } from '../command-line.js';
import { exitFailure } from '../explain-error.js';
import { formatBytes, ProgressDisplay } from '../progress-display.js';
import { untilInterrupted } from '../stop-signal.js';
import { announce, complain } from '../terminal.js';
import { withBucket } from '../with-bucket.js';

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
