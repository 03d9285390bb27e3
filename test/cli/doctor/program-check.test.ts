// Whether others could change the program is found in its file and in every directory above it.
import { chmod, chown, mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { programCheck } from '../../../src/cli/doctor/program-check.js';
import { makeDirectory } from '../../mount/temporary.js';

const never = new AbortController().signal;

test('a program that others may change is warned of, wherever on its path that is', async (t) => {
  const directory = await makeDirectory(t);
  const [middle, file] = [path.join(directory, 'middle'), path.join(directory, 'middle/main.cjs')];
  await mkdir(middle, { mode: 0o755 });
  await writeFile(file, '', { mode: 0o644 });
  const link = path.join(directory, 'osirisfs');
  await symlink(file, link);
  const verdict = async () => await programCheck(link).run(never);
  t.is((await verdict()).verdict, 'ok');
  for (const [place, mode] of [
    [file, 0o644],
    [middle, 0o755],
  ] as const) {
    await chmod(place, 0o777);
    t.like(await verdict(), { verdict: 'warning' });
    t.true((await verdict()).text.startsWith(`${place} has mode 0777: `));
    await chmod(place, mode);
  }
  await chmod(middle, 0o1777);
  t.is((await verdict()).verdict, 'ok', 'as in /tmp');
  if (process.getuid?.() !== 0) return;
  await chown(middle, 65534, 65534);
  t.true((await verdict()).text.startsWith(`${middle} belongs to user 65534`));
});
