/** What `osirisfs doctor` can be told. */
import { describeConnectionOptions } from '../bucket-options.js';
import type { Command } from '../command-line.js';
import { durationHelp } from '../setting-options.js';

export const doctorCommand: Command = {
  usage: 'doctor [bucket]',
  summary: 'check this machine, the server and BUCKET, and say what to do',
  describe: (yargs) =>
    describeConnectionOptions(yargs, { withKeyFile: true })
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
      .epilogue(['The exit code is 1 if a check failed, else 0.', durationHelp].join('\n\n')),
  run: async (parsed) => (await import('./run-doctor.js')).runDoctor(parsed),
};
