/** What `osirisfs policy` can be told. Apart from the command itself, which loads the layer that speaks to the server. */
import type { Argv } from 'yargs';
import type { KnownOptions } from '../command-line.js';
import { durationHelp } from '../setting-options.js';
import { connectionOptions, describeConnectionOptions } from '../bucket-options.js';

export const policyUsage = 'policy <bucket> <action>';
export const policyDescription = 'make the server refuse what is not encrypted under a customer key';

export const policyOptions: KnownOptions = connectionOptions({ withKeyFile: false });
export const policyActions = ['enforce', 'show', 'remove'] as const;

export function describePolicyOptions(yargs: Argv): Argv {
  return describeConnectionOptions(yargs, { withKeyFile: false })
    .positional('bucket', { type: 'string', demandOption: true, describe: 'the bucket, which must be yours' })
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
    );
}
