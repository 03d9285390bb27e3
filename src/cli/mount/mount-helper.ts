/**
 * The form in which mount(8) calls a FUSE file system: for the type `fuse.osirisfs`, in /etc/fstab or after -t, it runs
 * mount.fuse3, which runs `osirisfs SOURCE DIRECTORY -o OPTIONS`, without the word mount. Pure.
 */

/**
 * Options that mount.fuse3 adds by default. They are dropped, so that fusermount3's default counts, which is without them: no
 * object in a bucket should make a user root.
 */
const added = new Set(['dev', 'suid']);

/** The arguments of `osirisfs mount` for such a call; undefined if it is not one. */
export function mountArgumentsOf(
  args: readonly string[],
  isCommand: (word: string) => boolean,
): string[] | undefined {
  const [source, directory, option, list, ...rest] = args;
  if (source === undefined || directory === undefined || list === undefined || rest.length > 0)
    return undefined;
  if (option !== '-o' || isCommand(source) || source.startsWith('-') || directory.startsWith('-'))
    return undefined;
  const options = list.split(',').filter((item) => !added.has(item));
  return ['mount', source, directory, ...(options.length === 0 ? [] : ['-o', options.join(',')])];
}
