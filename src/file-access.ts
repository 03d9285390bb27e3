/** Which users beside this one may change a file, or read it. Root always may. */
import type { Stats } from 'node:fs';

/** linux/stat.h. */
const groupWriteBit = 0o020;
const othersWriteBit = 0o002;

/**
 * Whether the file belongs to this user, to root, or to the user who calls sudo(8), for whom root works then. (ssh does not check the
 * owner of files that root reads.)
 */
export function isOwnFile({ uid }: Pick<Stats, 'uid'>, environment: NodeJS.ProcessEnv): boolean {
  const ourUid = process.geteuid?.() ?? 0;
  if (uid === 0 || uid === ourUid) return true;
  return ourUid === 0 && environment['SUDO_UID'] === String(uid);
}

/**
 * What is wrong with a file that says where data and keys are sent, in words that follow its name; undefined if only its owner may
 * write to it. A group that only the owner is in does not count: Fedora and others give each user one, with a umask of 002.
 */
export function writersOf(
  stats: Pick<Stats, 'uid' | 'gid' | 'mode'>,
  environment: NodeJS.ProcessEnv,
): string | undefined {
  if (!isOwnFile(stats, environment)) return `belongs to user ${stats.uid}, who could change it`;
  const writeBits = stats.gid === stats.uid ? othersWriteBit : othersWriteBit | groupWriteBit;
  if ((stats.mode & writeBits) === 0) return undefined;
  return `has mode ${shownMode(stats)}: others than its owner could change it`;
}

/** In the form of chmod(1). */
export function shownMode({ mode }: Pick<Stats, 'mode'>): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}
