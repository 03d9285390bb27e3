/** What `osirisfs ls` can be told. */
import { describeBucketOptions, sourcesEpilogue } from '../bucket-options.js';
import type { Command } from '../command-line.js';

export const listCommand: Command = {
  usage: 'ls <bucket>',
  summary: 'list what is in BUCKET[/PREFIX]; with -l, under which key it is encrypted',
  describe: (yargs) =>
    describeBucketOptions(yargs, { withKeyFile: true })
      .positional('bucket', { type: 'string', demandOption: true, describe: 'BUCKET or BUCKET/PREFIX' })
      .option('long', {
        alias: 'l',
        type: 'boolean',
        describe: 'also encryption, size and time of each object: asks for each, many at a time',
      })
      .option('recursive', {
        alias: 'R',
        type: 'boolean',
        describe: 'also what is in the directories below',
      })
      .option('json', { type: 'boolean', describe: 'the same as -l, as one JSON object a line' })
      .example('$0 ls data', 'what is in the bucket data')
      .example('$0 ls data/2024 -l -R --key-file new.key --key-file old.key', 'and under which key each is')
      .epilogue(
        [
          'The columns of -l: fingerprint of the key (base64 MD5), "not-encrypted" or "unknown-key"; bytes; time; name.',
          sourcesEpilogue,
        ].join('\n\n'),
      ),
  run: async (parsed) => (await import('./run-list.js')).runList(parsed),
};
