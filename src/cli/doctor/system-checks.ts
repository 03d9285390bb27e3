/** Checks that this machine can mount: kernel, device, fusermount3, Node. */
import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { failed, ok, warning, type Check } from './checks.js';

interface System {
  readonly filesystemsFile: string;
  readonly devicePath: string;
  /** Directories, separated by colons. */
  readonly searchPath: string;
  readonly fuseConfFile: string;
  readonly nodeVersion: string;
  readonly isRoot: boolean;
  /** Throws if the library that makes system calls cannot be loaded. */
  readonly loadNative: () => Promise<unknown>;
}

/** As package.json has it. */
const leastNode: readonly [number, number] = [20, 19];
const setUserId = 0o4000;

export function systemChecks(system: System): Check[] {
  return [
    {
      name: 'Node',
      needs: [],
      run: () => {
        const [major = 0, minor = 0] = system.nodeVersion.replace(/^v/, '').split('.').map(Number);
        const isNew = major > leastNode[0] || (major === leastNode[0] && minor >= leastNode[1]);
        const text = `${system.nodeVersion}; ${leastNode.join('.')} or later is needed`;
        return Promise.resolve(isNew ? ok(text) : failed(`${text}: install a newer one`));
      },
    },
    {
      name: 'koffi',
      needs: [],
      run: async () => {
        await system.loadNative();
        return ok('system calls can be made');
      },
    },
    {
      name: 'kernel',
      needs: [],
      run: async () => {
        const known = await readFile(system.filesystemsFile, 'utf8');
        return /^nodev\tfuse$/m.test(known) ? ok('knows FUSE') : failed('does not know FUSE: modprobe fuse');
      },
    },
    {
      name: 'FUSE device',
      needs: ['kernel'],
      run: async () => {
        const { devicePath } = system;
        try {
          await access(devicePath, constants.R_OK | constants.W_OK);
          return ok(`${devicePath} can be opened`);
        } catch (error) {
          const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
          return failed(
            isMissing
              ? `${devicePath} is missing: modprobe fuse, or, in a container, pass it in (--device /dev/fuse)`
              : `you may not open ${devicePath}: an administrator can give it mode 0666, as udev does`,
          );
        }
      },
    },
    { name: 'fusermount3', needs: [], run: () => checkFusermount(system) },
    {
      name: 'allow-other',
      needs: [],
      run: async () => {
        const text = await readFile(system.fuseConfFile, 'utf8').catch(() => '');
        const isAllowed = /^\s*user_allow_other\s*$/m.test(text);
        if (isAllowed) return ok(`user_allow_other is set in ${system.fuseConfFile}`);
        if (system.isRoot) return ok('root may use --allow-other without user_allow_other');
        return warning(
          `--allow-other is refused to you: an administrator can add user_allow_other to ${system.fuseConfFile}`,
        );
      },
    },
  ];
}

async function checkFusermount({ searchPath, isRoot }: System) {
  for (const directory of searchPath.split(':')) {
    const file = path.join(directory || '.', 'fusermount3');
    const stats = await stat(file).catch(() => undefined);
    if (stats === undefined || (stats.mode & 0o111) === 0) continue;
    if (isRoot) return ok(file);
    const isPrivileged = stats.uid === 0 && (stats.mode & setUserId) !== 0;
    return isPrivileged
      ? ok(`${file}, setuid root`)
      : failed(`${file} is not setuid root, so only root can mount: chown root ${file}; chmod u+s ${file}`);
  }
  return failed('fusermount3 is not in PATH: install the package fuse3 (Debian: apt install fuse3)');
}
