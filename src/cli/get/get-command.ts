/** What `osirisfs get` can be told. */
import { describeBucketOptions, sourcesEpilogue } from '../bucket-options.js';
import type { Command } from '../command-line.js';

export const getCommand: Command = {
  usage: 'get <paths..>',
  summary: 'fetch files and directories: get BUCKET[/PREFIX]... DEST',
  describe: (yargs) =>
    describeBucketOptions(yargs, { withKeyFile: true })
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
      ),
  run: async (parsed) => (await import('./run-get.js')).runGet(parsed),
};
