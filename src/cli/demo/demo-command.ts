/** What `osirisfs demo` can be told. */
import type { Command } from '../command-line.js';

const defaultName = 'osirisfs-demo';

export const demoCommand: Command = {
  usage: 'demo [dir]',
  summary: 'try osirisfs without a bucket: gateway, bucket, key and mount on DIR in one',
  describe: (yargs) =>
    yargs
      .positional('dir', {
        type: 'string',
        describe: 'an empty directory, made if it is missing',
        defaultDescription: `~/${defaultName}`,
      })
      .example('$0 demo', 'until Ctrl-C')
      .epilogue(
        [
          'Starts an S3 server on this machine (osirisfs gateway), makes a bucket "demo" and a customer key, mounts the',
          'bucket on DIR, and says what to try. Ctrl-C stores everything, unmounts and stops the server; a second one',
          'does not wait. What is in the bucket is there again at the next start: it is kept in',
          '~/.local/share/osirisfs/demo, or osirisfs/demo in $XDG_DATA_HOME. Settings of your own mounts (OSIRISFS_*,',
          'config file, AWS_*) do not count here.',
        ].join('\n'),
      ),
  run: async (parsed) => (await import('./run-demo.js')).runDemo(parsed, defaultName),
};
