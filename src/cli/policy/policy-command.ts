/** What `osirisfs policy` can be told. */
import { describeConnectionOptions } from '../bucket-options.js';
import type { Command } from '../command-line.js';
import { durationHelp } from '../setting-options.js';

export const policyCommand: Command = {
  usage: 'policy <bucket> <action>',
  summary: 'make the server refuse what is not encrypted under a customer key',
  describe: (yargs) =>
    describeConnectionOptions(yargs, { withKeyFile: false })
      .positional('bucket', {
        type: 'string',
        demandOption: true,
        describe: 'the bucket, which must be yours',
      })
      .positional('action', {
        type: 'string',
        demandOption: true,
        describe: 'enforce: set the policy and show by requests that it works; show; remove',
      })
      .example('$0 policy data enforce', 'from now on no program can store a plain object in data')
      .epilogue(
        [
          'Other statements of the bucket policy are kept. enforce stores and deletes small objects below .osirisfs/',
          'under a key made for it; if no form of the policy works on the server, the former policy is put back.',
          '',
          durationHelp,
        ].join('\n'),
      ),
  run: async (parsed) => (await import('./run-policy.js')).runPolicy(parsed),
};
