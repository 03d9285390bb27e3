/** What `osirisfs audit` can be told. */
import { describeBucketOptions, sourcesEpilogue } from '../bucket-options.js';
import type { Command } from '../command-line.js';

export const auditCommand: Command = {
  usage: 'audit <bucket>',
  summary: 'find objects in BUCKET[/PREFIX] that are not encrypted, or under unknown keys',
  describe: (yargs) =>
    describeBucketOptions(yargs, { withKeyFile: true })
      .positional('bucket', { type: 'string', demandOption: true, describe: 'BUCKET or BUCKET/PREFIX' })
      .option('json', { type: 'boolean', describe: 'one JSON object a line: each finding, then the summary' })
      .example(
        '$0 audit data --key-file new.key --key-file old.key',
        'is everything under one of these keys?',
      )
      .epilogue(
        [
          'Exit code 0: every object is encrypted under a key of the ring. 1: some are not, or the audit failed.',
          sourcesEpilogue,
        ].join('\n\n'),
      ),
  run: async (parsed) => (await import('./run-audit.js')).runAudit(parsed),
};
