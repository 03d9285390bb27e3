/** `osirisfs get`: fetches objects and trees from buckets, decrypted, as a mount would show them. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Argv } from 'yargs';
import type { AccessConfig } from '../../config.js';
import { parsePath } from '../../setting-values.js';
import { getAll } from '../../transfer/get-all.js';
import { LocalTree } from '../../transfer/local-tree.js';
import { Progress } from '../../transfer/progress.js';
import { TransferError } from '../../transfer/transfer-error.js';
import { TransferSummary } from '../../transfer/transfer-summary.js';
import type { AttributeDefaults } from '../../vfs/stored-attributes.js';
import {
  bucketOptions,
  describeBucketOptions,
  readAccessConfig,
  sourcesEpilogue,
} from '../bucket-options.js';
import { CommandError, UsageError } from '../command-errors.js';
import { type KnownOptions, type ParsedArguments, switchOf, textsOf } from '../command-line.js';
import { exitFailure } from '../explain-error.js';
import { ProgressDisplay } from '../progress-display.js';
import { transferLine } from '../put/put-command.js';
import { untilInterrupted } from '../stop-signal.js';
import { announce, complain } from '../terminal.js';

export const getUsage = 'get <paths..>';
export const getDescription = 'fetch files and directories: get BUCKET[/PREFIX]... DEST';

const form = { withKeyFile: true };

/** Where the system tells none: Linux before 4.7. */
const strictUmask = 0o077;

export const getOptions: KnownOptions = bucketOptions(form, {
  values: [],
  switches: ['preserve-modes'],
});

export function describeGetOptions(yargs: Argv): Argv {
  return describeBucketOptions(yargs, form)
    .positional('paths', {
      type: 'string',
      demandOption: true,
      describe: 'BUCKET, BUCKET/PREFIX or BUCKET/FILE, then the directory or file DEST',
    })
    .option('preserve-modes', {
      type: 'boolean',
      describe: 'give files the modes that they have in the bucket, also beyond the umask',
    })
    .example('$0 get data/2024/results . --key-file data.key', 'as ./results/...')
    .example('$0 get data/a.csv /tmp/b.csv', 'one file under another name')
    .epilogue(
      [
        'Time and symbolic links are restored, and modes as far as the umask lets them: what was encrypted',
        'in the bucket is not shown to others here. A file has its name only when it is complete; what is',
        'there with the same size, time and mode is passed over: run the same command again after an',
        "interruption. Bytes are compared with the object's ETag where that is their MD5 (on Ceph, for what",
        'was stored in one piece).',
        '',
        sourcesEpilogue,
      ].join('\n'),
    );
}

/** Resolves with the exit code: 1 if something could not be fetched. */
export async function runGet(parsed: ParsedArguments): Promise<number> {
  const paths = textsOf(parsed, 'paths');
  const sources = paths.slice(0, -1);
  const last = paths.at(-1);
  if (last === undefined || sources.length === 0) {
    throw new UsageError('get needs BUCKET[/PREFIX]... and DEST; see osirisfs get --help');
  }
  const destination = parsePath(last);
  const configs = await Promise.all(sources.map((source) => readAccessConfig(parsed, source)));
  const isDirectory = await stat(destination).then(
    (stats) => stats.isDirectory(),
    () => undefined, // it is made
  );
  if (configs.length > 1 && isDirectory === false)
    throw new CommandError(`${destination} is not a directory`);
  const takesName = isDirectory === true || configs.length > 1 || last.endsWith('/');
  const maskedPermissions = switchOf(parsed, 'preserve-modes') ? 0 : await ownUmask();
  const summary = new TransferSummary();
  const progress = new Progress();
  const display = new ProgressDisplay(progress);
  try {
    await untilInterrupted(async (signal) => {
      for (const config of configs) {
        await getSource(
          config,
          treeOf(config, { destination, takesName, maskedPermissions }),
          { summary, progress, display },
          signal,
        );
      }
    });
  } catch (error) {
    display.stop();
    announce(transferLine(summary, 'fetched'));
    if (error instanceof TransferError) throw new CommandError(error.message, { cause: error });
    complain('not finished; the same command goes on where this one ended');
    throw error;
  }
  display.stop();
  announce(transferLine(summary, 'fetched'));
  return summary.failed > 0 ? exitFailure : 0;
}

interface Destination {
  readonly destination: string;
  /** Whether what is fetched goes into it under its own name. */
  readonly takesName: boolean;
  readonly maskedPermissions: number;
}

async function getSource(
  config: AccessConfig,
  tree: LocalTree,
  view: {
    readonly summary: TransferSummary;
    readonly progress: Progress;
    readonly display: ProgressDisplay;
  },
  signal: AbortSignal,
): Promise<void> {
  const { withBucket } = await import('../with-bucket.js');
  const { summary, progress, display } = view;
  await withBucket(config, signal, async ({ store }) => {
    await getAll(
      {
        store,
        prefix: config.prefix,
        tree,
        defaults: defaultAttributes(),
        concurrency: config.maxConnections,
        progress,
        summary,
        onFailure: (message) => display.say(`osirisfs: ${message}`),
      },
      signal,
    );
  });
}

/**
 * A tree goes into DEST under its own name, whether DEST is there or not, so that the same command does the same again; a
 * whole bucket has no name. A file goes into a directory, or is called DEST.
 */
function treeOf(
  { prefix }: AccessConfig,
  { destination, takesName, maskedPermissions }: Destination,
): LocalTree {
  return new LocalTree({
    destination,
    name: path.posix.basename(prefix),
    isNamedByUser: !takesName,
    maskedPermissions,
  });
}

/** Of this process, proc(5). By Node it could only be read by being set. */
async function ownUmask(): Promise<number> {
  const [, digits] = /^Umask:\s*([0-7]+)$/m.exec(await readFile('/proc/self/status', 'utf8')) ?? [];
  return digits === undefined ? strictUmask : Number.parseInt(digits, 8);
}

/** As a mount shows what carries no attributes of its own. */
function defaultAttributes(): AttributeDefaults {
  return {
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    filePermissions: 0o644,
    directoryPermissions: 0o755,
  };
}
