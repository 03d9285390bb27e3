/** What `osirisfs doctor` can be told. Apart from the command itself, which loads the layer that speaks to the server. */
import type { Argv } from 'yargs';
import type { KnownOptions } from '../command-line.js';
import { durationHelp } from '../setting-options.js';
import { connectionOptions, describeConnectionOptions } from '../bucket-options.js';

export const doctorUsage = 'doctor [bucket]';
export const doctorDescription = 'check this machine, the server and BUCKET, and say what to do';

const connection = connectionOptions({ withKeyFile: true });
export const doctorOptions: KnownOptions = {
  values: connection.values,
  switches: [...connection.switches, 'write', 'json'],
};

export function describeDoctorOptions(yargs: Argv): Argv {
  return describeConnectionOptions(yargs, { withKeyFile: true })
    .positional('bucket', {
      type: 'string',
      describe: 'BUCKET or BUCKET/PREFIX',
      defaultDescription: 'without a bucket',
    })
    .option('write', {
      type: 'boolean',
      describe: 'also find out what the server can do, by small objects below .osirisfs/, deleted again',
    })
    .option('json', { type: 'boolean', describe: 'as a JSON array of name, verdict and text' })
    .example('$0 doctor data --key-file ~/data.key', 'everything but what has to write')
    .example('$0 doctor', 'this machine, and the server that the settings name')
    .epilogue(['The exit code is 1 if a check failed, else 0.', durationHelp].join('\n\n'));
}
