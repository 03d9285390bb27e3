/** What `osirisfs mount` can be told. */
import type { Command } from '../command-line.js';
import { describeMountOptions } from './mount-options.js';

export const mountCommand: Command = {
  /** yargs fills what is required first: see `readMountConfig`. */
  usage: 'mount [bucket] <directory>',
  summary: 'mount BUCKET[/PREFIX], or all your buckets, on an empty DIRECTORY',
  describe: (yargs) =>
    describeMountOptions(yargs)
      .example(
        '$0 mount data ~/data --key-file ~/data.key',
        'the whole bucket, at the server of your settings',
      )
      .example('$0 mount data/2024 ~/data --read-only --cache-size 1GiB', 'a part of it, only to read')
      .example('$0 mount ~/buckets --key-file ~/data.key', 'all your buckets, as directories')
      .example('$0 mount data ~/data -o ro,url=https://s3.test', 'as in fstab')
      .example('$0 umount ~/data', 'store everything and unmount'),
  run: async (parsed, dependencies) => (await import('./run-mount.js')).runMount(parsed, dependencies),
};
