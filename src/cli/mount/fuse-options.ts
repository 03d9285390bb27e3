/**
 * The comma-separated list of `-o`, as mount(8), /etc/fstab and users of s3fs write it, sorted into settings of osirisfs and
 * flags for fusermount3. Unknown options are refused. Pure.
 */
import { settingNames, settings, type SettingName } from '../../settings/settings.js';
import { UsageError } from '../command-errors.js';
import type { SettingValues } from '../setting-sources.js';

interface FuseOptions {
  readonly values: SettingValues;
  readonly mountFlags: readonly string[];
}

/** Those that fusermount3 (util/fusermount.c, `mount_flags`) hands to the kernel; it refuses some to ordinary users. */
const kernelFlags = new Set([
  'async',
  'atime',
  'dev',
  'dirsync',
  'exec',
  'noatime',
  'nodev',
  'noexec',
  'nosuid',
  'suid',
  'sync',
]);

/** Ignored: what is only for mount(8) and /etc/fstab, what always holds, and what only s3fs needs. */
const ignored = new Set([
  '_netdev',
  'auto',
  'auto_unmount',
  'big_writes',
  'default_permissions',
  'defaults',
  'noauto',
  'nofail',
  'rw',
  'use_path_request_style',
  'user',
  'users',
  // Which users may mount by /etc/fstab.
  'group',
  'nogroup',
  'noowner',
  'nouser',
  'nousers',
  'owner',
  // Reading never changes access times here.
  'diratime',
  'lazytime',
  'nodiratime',
  'nolazytime',
  'norelatime',
  'nostrictatime',
  'relatime',
  'strictatime',
  // How much the kernel logs.
  'loud',
  'silent',
]);

/** Other names for settings. */
const aliases: Readonly<Record<string, SettingName>> = {
  ro: 'readOnly',
  url: 'endpoint',
};

const byItself = 'osirisfs finds that out by itself; leave it out';
const inKernel = 'what the kernel may keep is decided for each file; leave it out';
/** Options of s3fs and libfuse that people have in their scripts, and what takes their place. */
const advice: Readonly<Record<string, string>> = {
  attr_timeout: 'use metadata_ttl=DURATION',
  auto_cache: inKernel,
  compat_dir: byItself,
  complement_stat: byItself,
  curldbg: 'use log_level=trace',
  dbglevel: 'use log_level=LEVEL',
  del_cache: 'nothing decrypted is kept on disk; leave it out',
  direct_io: inKernel,
  enable_noobj_cache: 'use negative_ttl=DURATION',
  ensure_diskfree:
    'nothing is kept on disk but what does not fit into memory while it is written; see spill_size',
  entry_timeout: 'use metadata_ttl=DURATION',
  iam_role: 'credentials come from where AWS programs have them; choose some by profile=NAME',
  kernel_cache: inKernel,
  max_read: byItself,
  max_stat_cache_size: byItself,
  mp_umask: 'use umask=OCTAL',
  multipart_size: byItself,
  multireq_max: 'use max_connections=NUMBER',
  negative_timeout: 'use negative_ttl=DURATION',
  nocopyapi: byItself,
  nomultipart: byItself,
  notsup_compat_dir: byItself,
  parallel_count: 'use max_connections=NUMBER',
  readwrite_timeout: 'use request_timeout=DURATION',
  remount: 'unmount it, and mount it with other options',
  retries: 'use retry_time=DURATION',
  sigv2: 'requests are signed by version 4, which every server knows',
  sigv4: 'requests are always signed so; leave it out',
  stat_cache_expire: 'use metadata_ttl=DURATION',
  stat_cache_interval_expire: 'use metadata_ttl=DURATION',
  no_check_certificate: 'certificates are always checked; trust yours by ca-bundle=FILE',
  nonempty: 'only an empty directory can be mounted on',
  passwd_file: 'credentials come from ~/.aws/credentials or AWS_ACCESS_KEY_ID; choose some by profile=NAME',
  ssl_verify_hostname: 'certificates are always checked; trust yours by ca-bundle=FILE',
  use_cache: 'nothing decrypted is kept on disk; leave it out',
};

/** `lists`: the value of each `-o`. Throws a `UsageError`. */
export function parseFuseOptions(lists: readonly string[]): FuseOptions {
  const values: SettingValues = {};
  const mountFlags: string[] = [];
  for (const item of lists.flatMap((list) => list.split(','))) {
    const text = item.trim();
    if (text === '')
      throw new UsageError("-o needs options separated by single commas, like '-o ro,allow_other'");
    const [name, value] = split(text);
    if (ignored.has(name) || name.startsWith('x-') || name === 'comment') continue;
    const hint = advice[name];
    if (hint !== undefined) throw new UsageError(`-o ${name}: ${hint}`);
    if (name === 'use_sse') values.keyFiles = [keyFileOfUseSse(value)];
    else if (kernelFlags.has(name) && value === undefined) mountFlags.push(name);
    else setValue(values, name, value);
  }
  return { values, mountFlags };
}

function split(text: string): [string, string | undefined] {
  const at = text.indexOf('=');
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** s3fs's `use_sse=custom:FILE`, or `c:` for short. The other forms do not encrypt under the user's own key. */
function keyFileOfUseSse(value: string | undefined): string {
  const file = /^(?:custom|c):(.+)$/.exec(value ?? '')?.[1];
  if (file === undefined) {
    throw new UsageError(
      '-o use_sse: osirisfs needs your own key; give use_sse=custom:FILE or key-file=FILE',
    );
  }
  return file;
}

function setValue(values: SettingValues, name: string, value: string | undefined): void {
  const option = name.replaceAll('_', '-');
  const setting = aliases[option] ?? settingNames.find((candidate) => settings[candidate].option === option);
  if (setting === undefined) throw new UsageError(`-o ${name}: unknown option; see osirisfs mount --help`);
  const isSwitch = settings[setting].placeholder === undefined;
  if (!isSwitch && value === undefined) {
    throw new UsageError(`-o ${name} needs a value: ${name}=${settings[setting].placeholder ?? ''}`);
  }
  const earlier = values[setting];
  const isFurther = settings[setting].isList === true && typeof earlier === 'string';
  values[setting] = isFurther ? `${earlier}:${value ?? ''}` : (value ?? true);
}
