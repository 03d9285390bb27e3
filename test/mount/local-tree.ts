/** Files on the local disk to copy into a mount, and the comparison of what comes out again. */
import path from 'node:path';
import { bash, runOk } from './child.js';
import { makeDirectory, type Scope } from './temporary.js';
import type { User } from './user.js';

/** Makes a file of `size` pseudo-random bytes, quickly. */
export async function makeRandomFile(file: string, size: number): Promise<void> {
  await bash(
    // The cipher's output cannot be compressed or guessed. It complains of the pipe that head closes.
    'openssl rand -hex 16 >"$2.seed"; ' +
      '(openssl enc -aes-128-ctr -nosalt -K "$(cat "$2.seed")" -iv 00 </dev/zero 2>/dev/null || true) | head -c "$1" >"$2"; ' +
      'rm "$2.seed"',
    [String(size), file],
    { timeoutMs: 600_000 },
  );
}

/**
 * A tree as people have them: files of 0 to 64 KiB in nested directories, names with spaces, quotes and letters of other
 * languages, several modes, times to the nanosecond, symbolic links and an empty directory.
 */
export async function makeTree(scope: Scope, files: number, user?: User): Promise<string> {
  const tree = path.join(await makeDirectory(scope, user), 'tree');
  const script = `
import os, random, sys
tree, files = sys.argv[1], int(sys.argv[2])
source = random.Random(files)
odd = ['plain', 'two words', 'Größe', '测量', "it's", 'a%20b', 'plus+and&', 'tab\\there', 'back\\\\slash', '-dash', '#hash', 'é']
for number in range(files):
    folder = os.path.join(tree, 'run %d' % (number % 7), odd[number % len(odd)] if number % 3 == 0 else '')
    os.makedirs(folder, exist_ok=True)
    name = os.path.join(folder, '%s-%d.dat' % (odd[number % len(odd)], number))
    with open(name, 'wb') as file:
        file.write(source.randbytes(0 if number % 50 == 0 else source.randrange(1, 65536)))
    os.chmod(name, [0o644, 0o600, 0o755, 0o440][number % 4])
    time = 1_000_000_000_000_000_000 + number * 86_400_123_456_789
    os.utime(name, ns=(time, time))
os.mkdir(os.path.join(tree, 'empty'))
os.symlink('run 0/plain-0.dat', os.path.join(tree, 'link'))
os.symlink('/nowhere/at all', os.path.join(tree, 'dangling ü'))
for folder, _, _ in os.walk(tree, topdown=False):
    time = 1_200_000_000_987_654_321
    os.utime(folder, ns=(time, time))
`;
  await runOk('/usr/bin/python3', ['-c', script, tree, String(files)], { user });
  return tree;
}

/** Rejects unless both trees hold the same files with the same bytes. */
export async function compareBytes(left: string, right: string, user?: User): Promise<void> {
  await runOk('diff', ['-r', '--no-dereference', left, right], { user, timeoutMs: 1_200_000 });
}

/** One line for each entry: name, type, mode, owner, size of files, mtime, link target. */
export async function listingOf(directory: string, user?: User): Promise<string[]> {
  const columns = '%P|%y|%m|%U:%G|';
  const listing = await runOk(
    'find',
    [
      ...[directory, '-mindepth', '1'],
      ...['(', '-type', 'd', '-printf', `${columns}|%T@|\\0`, ')', '-o'],
      ...['(', '-printf', `${columns}%s|%T@|%l\\0`, ')'],
    ],
    { user, timeoutMs: 300_000 },
  );
  return listing.split('\0').filter(Boolean).sort();
}
