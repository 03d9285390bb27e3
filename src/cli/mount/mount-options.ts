/** The options of a mount, and the config that they give. */
import type { Argv } from 'yargs';
import type { MountArguments, MountConfig } from '../../settings/config.js';
import { helpGroups, settingNames, settings } from '../../settings/settings.js';
import { positionalOf, textsOf, type ParsedArguments } from '../command-line.js';
import { durationHelp, readSettingOptions, yargsOption } from '../setting-options.js';
import { loadMountConfig } from '../setting-sources.js';
import { parseFuseOptions } from './fuse-options.js';

const settingsEpilogue = `SIZE is in bytes, or with k, M, G, T (powers of 1,024), as in 256M; also KiB, MiB, GiB, TiB, kB, MB, GB, TB.
${durationHelp}

Credentials come from the AWS conventions: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials
with --profile; so do endpoint, region and CA bundle where no option gives them.

Every option can also be given by a variable (--cache-size by OSIRISFS_CACHE_SIZE) or in
~/.config/osirisfs/config.toml, or the file named by OSIRISFS_CONFIG (cache-size = "1GiB", read-only = true).
Options override variables, and variables the file.`;

/** Declares the options of a mount, for the commands `mount` and `unit`. */
export function describeMountOptions(yargs: Argv): Argv {
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

/** Rejects with a `UsageError` or `ConfigError`. */
export async function readMountConfig(parsed: ParsedArguments): Promise<MountConfig> {
  const { values: fuseValues, mountFlags } = parseFuseOptions(textsOf(parsed, 'o'));
  const values = readSettingOptions(parsed, settingNames);
  const mountArguments = { ...readMountArguments(parsed), mountFlags };
  return await loadMountConfig(mountArguments, values, fuseValues, process.env);
}

/** Sorts out `[bucket] <directory>`: yargs takes the first argument for the required one, and the second for the optional one. */
function readMountArguments(parsed: ParsedArguments): Pick<MountArguments, 'bucket' | 'directory'> {
  if (parsed['bucket'] === undefined) {
    return { bucket: undefined, directory: positionalOf(parsed, 'directory') };
  }
  const [bucket, directory] = [parsed['directory'], parsed['bucket']];
  const inOrder = { bucket, directory };
  return { bucket: positionalOf(inOrder, 'bucket'), directory: positionalOf(inOrder, 'directory') };
}
