/** The options and the help of `osirisfs mount`, and the config that comes of them. What is done with it is in `run-mount.ts`. */
import type { Argv } from 'yargs';
import type { MountArguments, MountConfig } from '../../config.js';
import { helpGroups, settingNames, settings } from '../../settings.js';
import { positionalOf, textsOf, type KnownOptions, type ParsedArguments } from '../command-line.js';
import { durationHelp, readSettingOptions, takesValue, yargsOption } from '../setting-options.js';
import { parseFuseOptions } from './fuse-options.js';
import { loadMountConfig } from '../setting-sources.js';

const settingsEpilogue = `SIZE is in bytes, or with k, M, G, T (powers of 1,024), as in 256M; also KiB, MiB, GiB, TiB, kB, MB, GB, TB.
${durationHelp}

Credentials come from the AWS conventions: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials
with --profile; so do endpoint, region and CA bundle where no option gives them.

Every option can also be given by a variable (--cache-size by OSIRISFS_CACHE_SIZE) or in
~/.config/osirisfs/config.toml, or the file named by OSIRISFS_CONFIG (cache-size = "1GiB", read-only = true).
Options override variables, and variables the file.`;

/** yargs fills what is required first: see `readMountArguments`. */
export const mountUsage = 'mount [bucket] <directory>';
export const mountDescription = 'mount BUCKET[/PREFIX], or all your buckets, on an empty DIRECTORY';

export function describeMountOptions(yargs: Argv): Argv {
  return describeSettings(yargs)
    .example('$0 mount data ~/data --key-file ~/data.key', 'the whole bucket, at the server of your settings')
    .example('$0 mount data/2024 ~/data --read-only --cache-size 1GiB', 'a part of it, only to read')
    .example('$0 mount ~/buckets --key-file ~/data.key', 'all your buckets, as directories')
    .example('$0 mount data ~/data -o ro,url=https://s3.test', 'as in fstab')
    .example('$0 umount ~/data', 'store everything and unmount');
}

/** What a mount can be told, whoever is to make it. */
export function describeSettings(yargs: Argv): Argv {
  for (const group of helpGroups) {
    for (const name of settingNames) {
      const setting = settings[name];
      if (setting.group === group) yargs.option(setting.option, yargsOption(name));
    }
  }
  return yargs
    .positional('bucket', {
      type: 'string',
      describe: 'BUCKET or BUCKET/PREFIX. Default: all your buckets, as directories; s3:// says so too',
    })
    .positional('directory', { type: 'string', demandOption: true, describe: 'an empty directory' })
    .option('o', {
      type: 'string',
      array: true,
      requiresArg: true,
      group: 'Directory:',
      describe:
        'LIST: the same options as mount(8) and s3fs write them, and noexec, nodev, nosuid, noatime, sync, ...',
    })
    .alias('f', 'foreground')
    .epilogue(settingsEpilogue);
}

export const mountOptions: KnownOptions = {
  values: [...settingNames.filter(takesValue).map((name) => settings[name].option), 'o'],
  switches: [...settingNames.filter((name) => !takesValue(name)).map((name) => settings[name].option), 'f'],
};

/** Rejects with a `UsageError` or `ConfigError`. */
export async function readMountConfig(parsed: ParsedArguments): Promise<MountConfig> {
  const { values: fuseValues, mountFlags } = parseFuseOptions(textsOf(parsed, 'o'));
  const values = readSettingOptions(parsed, settingNames);
  const mountArguments = { ...readMountArguments(parsed), mountFlags };
  return await loadMountConfig(mountArguments, values, fuseValues, process.env);
}

/** Of `[bucket] <directory>`: yargs takes the first argument for what is required, and the second for the rest. */
function readMountArguments(parsed: ParsedArguments): Pick<MountArguments, 'bucket' | 'directory'> {
  if (parsed['bucket'] === undefined) {
    return { bucket: undefined, directory: positionalOf(parsed, 'directory') };
  }
  const [bucket, directory] = [parsed['directory'], parsed['bucket']];
  const inOrder = { bucket, directory };
  return { bucket: positionalOf(inOrder, 'bucket'), directory: positionalOf(inOrder, 'directory') };
}
