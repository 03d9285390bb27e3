/** The ordinary user that tests become to show that no root is needed. */
import { chmod, chown, cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { removeTree, type Scope } from './temporary.js';
import { run, runOk } from './child.js';

export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A directory of the user's own. */
  readonly home: string;
  /** Where this user can read the compiled program: the folder that has `dist` and `node_modules`. */
  readonly programRoot: string;
}

/** The folder of package.json, from `dist/test/mount`. */
export const projectRoot = path.resolve(fileURLToPath(import.meta.url), '../../../..');

/** `nobody` when the tests run as root; otherwise the tests' own user is ordinary already. */
export async function ordinaryUser(scope: Scope): Promise<User> {
  const isRoot = process.getuid?.() === 0;
  const uid = isRoot ? 65534 : (process.getuid?.() ?? 0);
  const gid = isRoot ? 65534 : (process.getgid?.() ?? 0);
  const home = await mkdtemp(path.join(tmpdir(), 'home-'));
  scope.teardown(() => removeTree(home));
  await chown(home, uid, gid);
  const env = {
    HOME: home,
    XDG_RUNTIME_DIR: undefined,
    XDG_STATE_HOME: undefined,
    XDG_CONFIG_HOME: undefined,
  };
  const user = { uid, gid, env, home };
  if (
    isRoot &&
    (await run('test', ['-c', '/dev/fuse', '-a', '-w', '/dev/fuse'], { user: { ...user, programRoot: '' } }))
      .code !== 0
  ) {
    throw new Error('ordinary users may not open /dev/fuse here: chmod 666 /dev/fuse, as udev does');
  }
  return { ...user, programRoot: await readableRoot(scope, { ...user, programRoot: '' }) };
}

/**
 * The checkout, or a copy of what the program needs where the user may not read the checkout (say, in /root): the one that
 * scripts/test has made, or one for this test.
 */
async function readableRoot(scope: Scope, user: User): Promise<string> {
  const main = path.join(projectRoot, 'dist/src/main.cjs');
  if ((await run('test', ['-r', main], { user, cwd: '/' })).code === 0) return projectRoot;
  const prepared = process.env['OSIRISFS_TEST_PROGRAM'];
  if (prepared !== undefined) return prepared;
  const copy = await mkdtemp(path.join(tmpdir(), 'program-'));
  scope.teardown(() => removeTree(copy));
  await chmod(copy, 0o755);
  for (const part of ['package.json', 'dist/src']) {
    await cp(path.join(projectRoot, part), path.join(copy, part), { recursive: true });
  }
  await runOk('cp', ['-rL', path.join(projectRoot, 'node_modules'), copy]);
  return copy;
}
