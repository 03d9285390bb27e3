/** The options of `osirisfs unit`: those of a mount. */
import type { Command } from '../command-line.js';
import { describeMountOptions } from '../mount/mount-options.js';

export const unitCommand: Command = {
  usage: 'unit [bucket] <directory>',
  summary: 'print a systemd user unit that mounts BUCKET, or all your buckets, on DIRECTORY',
  describe: (yargs) =>
    describeMountOptions(yargs).example(
      '$0 unit data ~/data --key-file ~/data.key > ~/.config/systemd/user/data.service',
      'then: systemctl --user enable --now data',
    ),
  run: async (parsed) => (await import('./run-unit.js')).runUnit(parsed),
};
