/** What `osirisfs umount` can be told. */
import type { Command } from '../command-line.js';

/** The process tries a refused file again after a minute, so this is long enough for a refusal that passes. */
const defaultTimeout = '90s';

export const umountCommand: Command = {
  usage: 'umount <directory>',
  aliases: ['unmount'],
  summary: 'wait until everything is in the bucket, and unmount DIRECTORY',
  describe: (yargs) =>
    yargs
      .positional('directory', {
        type: 'string',
        demandOption: true,
        describe: 'where the bucket is mounted',
      })
      .option('lazy', {
        type: 'boolean',
        describe:
          'detach the directory at once, also if it is in use; the process goes on until files are closed and everything is in the bucket',
      })
      .option('timeout', {
        type: 'string',
        requiresArg: true,
        describe:
          'DURATION: how long to wait when the server refuses all that is left; then umount fails, and the process keeps it and goes on trying',
        defaultDescription: defaultTimeout,
      })
      .option('give-up', {
        type: 'boolean',
        describe:
          'end at once, also if the directory is in use: what is not in the bucket is lost, and named',
      })
      .example('$0 umount ~/data', 'returns when everything is in the bucket'),
  run: async (parsed) => (await import('./run-umount.js')).runUmount(parsed, defaultTimeout),
};
