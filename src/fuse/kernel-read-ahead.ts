/**
 * How far the kernel reads ahead of a program on this mount. The kernel offers no more than 128 KiB in INIT, which splits
 * each sequential read into requests of that size. A user who may write to /sys can raise it.
 */
import { open } from 'node:fs/promises';
import type { Log } from '../log.js';
import type { Mount } from './mount-table.js';

/** The size of the largest request. */
const readAheadKib = 1024;

/**
 * Raises the read-ahead of the mount where that is allowed (root), and never lowers it. Never rejects: the mount works
 * without. `directory` is for tests.
 */
export async function raiseReadAhead(mount: Mount, log: Log, directory = '/sys/class/bdi'): Promise<void> {
  const file = `${directory}/${mount.device}/read_ahead_kb`;
  try {
    const setting = await open(file, 'r+');
    try {
      const present = Number((await setting.readFile('latin1')).trim());
      if (present >= readAheadKib) return;
      await setting.write(String(readAheadKib), 0);
      log.debug({ file, from: present, to: readAheadKib }, 'the kernel reads ahead farther');
    } finally {
      await setting.close();
    }
  } catch (error) {
    log.debug({ err: error, file }, 'the kernel reads ahead by its own measure');
  }
}
