/** `osirisfs get`: fetches objects and trees from buckets, decrypted, as a mount would show them. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { AccessConfig } from '../../settings/config.js';
import { parsePath } from '../../settings/setting-values.js';
import { getAll } from '../../transfer/get-all.js';
import { LocalTree } from '../../transfer/local-tree.js';
import { Progress, TransferSummary } from '../../transfer/progress.js';
import { TransferError } from '../../transfer/transfer-error.js';
import type { AttributeDefaults } from '../../vfs/stored-attributes.js';
import { readAccessConfig } from '../bucket-options.js';
import { CommandError, UsageError } from '../command-errors.js';
import { switchOf, textsOf, type ParsedArguments } from '../command-line.js';
import { exitFailure } from '../explain-error.js';
import { ProgressDisplay, transferLine } from '../progress-display.js';
import { untilInterrupted } from '../stop-signal.js';
import { announce, complain } from '../terminal.js';
import { withBucket } from '../with-bucket.js';

/** Used where the system does not tell the umask: Linux before 4.7. */
const strictUmask = 0o077;

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

interface LocalDestination {
  readonly destination: string;
  /** Whether the fetched file or tree goes into it under its own name. */
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
 * A tree goes into DEST under its own name, whether DEST exists or not, so that the same command does the same again. A whole
 * bucket has no name. A file goes into DEST if that is a directory, and is called DEST otherwise.
 */
function treeOf(
  { prefix }: AccessConfig,
  { destination, takesName, maskedPermissions }: LocalDestination,
): LocalTree {
  return new LocalTree({
    destination,
    name: path.posix.basename(prefix),
    isNamedByUser: !takesName,
    maskedPermissions,
  });
}

/** The umask of this process, proc(5). Node reads it only by setting it. */
async function ownUmask(): Promise<number> {
  const [, digits] = /^Umask:\s*([0-7]+)$/m.exec(await readFile('/proc/self/status', 'utf8')) ?? [];
  return digits === undefined ? strictUmask : Number.parseInt(digits, 8);
}

/** For objects without attributes: the same that a mount shows. */
function defaultAttributes(): AttributeDefaults {
  return {
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    filePermissions: 0o644,
    directoryPermissions: 0o755,
  };
}
