/** What `osirisfs put` can be told. */
import { describeBucketOptions, sourcesEpilogue } from '../bucket-options.js';
import type { Command } from '../command-line.js';

export const putCommand: Command = {
  usage: 'put <paths..>',
  summary: 'store files and directories: put SOURCE... BUCKET[/PREFIX]',
  describe: (yargs) =>
    describeBucketOptions(yargs, { withKeyFile: true })
      .positional('paths', {
        type: 'string',
        demandOption: true,
        describe: 'files and directories (DIR/. for what is in DIR only), then BUCKET or BUCKET/PREFIX',
      })
      .example('$0 put results data/2024 --key-file data.key', 'as data/2024/results/...')
      .example('$0 put a.csv b.csv data', 'as data/a.csv and data/b.csv')
      .epilogue(
        [
          'Mode, owner, times and symbolic links are kept as a mount keeps them. What is there with the same size, time',
          'and mode is passed over, and the upload of a large file that was interrupted goes on: run the same command',
          'again. The server checks every body against its MD5.',
          '',
          sourcesEpilogue,
        ].join('\n'),
      ),
  run: async (parsed) => (await import('./run-put.js')).runPut(parsed),
};
