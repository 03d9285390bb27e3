/**
 * Names of directory entries and keys of objects: which keys a directory can show, and which names a key can hold.
 * Pure functions; what exists is the business of the listing.
 */
import { FsError } from '../errors.js';

/** NAME_MAX of Linux, in bytes of UTF-8. */
export const maxNameBytes = 255;

/**
 * The directory at the root of a mount in which osirisfs stores objects of its own: the probes that find out what the server can do.
 * It is hidden, and no entry of this name can be made.
 */
export const reservedName = '.osirisfs';

/** Whether a directory can show an entry of this name: `a//b`, `.` and `..` are keys in S3 but not names here. */
export function isShowableName(name: string): boolean {
  return (
    name !== '' &&
    name !== '.' &&
    name !== '..' &&
    !name.includes('\0') &&
    !name.includes('/') &&
    !/\p{Surrogate}/u.test(name) &&
    (name.length <= maxNameBytes / 3 || Buffer.byteLength(name) <= maxNameBytes)
  );
}

/**
 * The key of the entry `name` below `prefix` ('' or ending in '/'). Throws ENAMETOOLONG if the name has more than
 * 255 bytes, or the key, with a '/' for a directory's marker, more than `maxKeyBytes`.
 */
export function keyOfEntry(
  prefix: string,
  name: string,
  kind: 'file' | 'directory',
  maxKeyBytes: number,
): string {
  const key = prefix + name + (kind === 'directory' ? '/' : '');
  if (Buffer.byteLength(name) > maxNameBytes) {
    throw new FsError('ENAMETOOLONG', `${key}: the name has more than ${maxNameBytes} bytes`);
  }
  if (Buffer.byteLength(key) > maxKeyBytes) {
    throw new FsError('ENAMETOOLONG', `${key}: the key has more than ${maxKeyBytes} bytes`);
  }
  return key;
}
