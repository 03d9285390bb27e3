/** What `osirisfs status` can be told. */
import type { Command } from '../command-line.js';

/** How often `--watch` asks. */
const refreshMs = 1_000;

export const statusCommand: Command = {
  usage: 'status [directory]',
  summary: 'show your mounts, or the one on DIRECTORY in full',
  describe: (yargs) =>
    yargs
      .positional('directory', {
        type: 'string',
        describe: 'where a bucket is mounted',
        defaultDescription: 'all mounts, a line each',
      })
      .option('json', { type: 'boolean', describe: 'as JSON: an array of mounts, or the one on DIRECTORY' })
      .option('watch', {
        type: 'boolean',
        describe: `show it anew every ${refreshMs / 1000} s until Ctrl-C, on a terminal`,
      })
      .example('$0 status', 'all mounts: directory, bucket, process, age, pending files, errors')
      .example('$0 status ~/data --watch', 'cache, traffic, uploads, requests with their latencies, live')
      .epilogue('Sizes are in powers of 1,024. Latencies are estimated from a histogram.'),
  run: async (parsed) => (await import('./run-status.js')).runStatus(parsed, refreshMs),
};
