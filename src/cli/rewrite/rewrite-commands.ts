/** What `osirisfs rekey` and `osirisfs encrypt` can be told. */
import type { Argv } from 'yargs';
import { describeBucketOptions, sourcesEpilogue } from '../bucket-options.js';
import type { Command } from '../command-line.js';

export const rekeyCommand: Command = {
  usage: 'rekey <bucket>',
  summary: 'bring the objects in BUCKET[/PREFIX] from one customer key under another',
  describe: (yargs) =>
    describeShared(describeBucketOptions(yargs, { withKeyFile: false }))
      .option('from', { type: 'string', requiresArg: true, describe: 'FILE: the key that they are under' })
      .option('to', {
        type: 'string',
        requiresArg: true,
        describe: 'FILE: the key that they are to be under',
      })
      .example('$0 rekey data --from old.key --to new.key --dry-run', 'how much is there to do?')
      .example('$0 rekey data --from old.key --to new.key', 'do it'),
  run: async (parsed) => (await import('./run-rewrite.js')).runRekey(parsed),
};

export const encryptCommand: Command = {
  usage: 'encrypt <bucket>',
  summary: 'encrypt the objects in BUCKET[/PREFIX] that are not encrypted',
  describe: (yargs) =>
    describeShared(describeBucketOptions(yargs, { withKeyFile: true })).example(
      '$0 encrypt data/2024 --key-file data.key',
      'bring what was uploaded without a key under it',
    ),
  run: async (parsed) => (await import('./run-rewrite.js')).runEncrypt(parsed),
};

function describeShared(yargs: Argv): Argv {
  return yargs
    .positional('bucket', { type: 'string', demandOption: true, describe: 'BUCKET or BUCKET/PREFIX' })
    .option('dry-run', { type: 'boolean', describe: 'only name the objects that would be written again' })
    .epilogue([rewriteEpilogue, sourcesEpilogue].join('\n\n'));
}

const rewriteEpilogue = [
  'Each object is read, written again and read back to compare; metadata, times and Content-Type stay. The',
  'old version can be read until the new one is complete. What somebody else replaces meanwhile is left to',
  'them. After an interruption the same command goes on: what is done already is passed over. The bytes pass',
  'through this machine.',
].join('\n');
