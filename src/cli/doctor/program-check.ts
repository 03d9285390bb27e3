/** Whether another user could change the program. Only root may change what root runs at boot, by /etc/fstab. */
import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { writersOf } from '../../file-access.js';
import { ok, warning, type Check } from './checks.js';

/** linux/stat.h: in such a directory users can move and remove only what is theirs. */
const stickyBit = 0o1000;

export function programCheck(programFile: string): Check {
  return {
    name: 'program',
    needs: [],
    run: async () => {
      const program = await realpath(programFile);
      for (let place = program; ; place = path.dirname(place)) {
        const problem = await problemOf(place);
        if (problem !== undefined) {
          return warning(
            `${place} ${problem}, and you run it: install it for the system (npm pack; npm install -g --ignore-scripts ./osirisfs-*.tgz)`,
          );
        }
        if (place === path.dirname(place)) return ok(`${program} can be changed by you and root only`);
      }
    },
  };
}

/** The user who calls sudo(8) counts as another user too: at boot nobody calls it. */
async function problemOf(place: string): Promise<string | undefined> {
  const stats = await stat(place);
  const { uid, gid, mode } = stats;
  const isShared = stats.isDirectory() && (mode & stickyBit) !== 0;
  return writersOf({ uid, gid, mode: isShared ? 0 : mode }, {});
}
