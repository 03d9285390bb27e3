/** The local files that jobs copy in, and the objects that they only read. Made once for a run. */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../../test/mount/user.js';
import { runLimited } from './limited-run.js';
import type { Sizes } from './sizes.js';
import { smallFileBytes } from './sizes.js';
import { sharedFolder, type Work } from './work.js';

/** The parts of multipart uploads and the ranges of reads by curl. */
export const rawPieceBytes = 8 * 2 ** 20;

/**
 * big, quarter-0 to quarter-3, small/ with files of 16 KiB, tree/ with files in folders, repository/ with the tree in a few
 * commits, parts/ with big cut into pieces. The content cannot be compressed, and is the cipher's of a fixed key: the same in every run.
 */
const script = `
fill() { openssl enc -aes-128-ctr -nosalt -K "$(printf '%032x' "$1")" -iv 00 </dev/zero 2>/dev/null | head -c "$2"; }
cd "$SOURCE"
set +o pipefail # head closes the pipe
fill 1 "$BIG_BYTES" >big
for i in 0 1 2 3; do fill "1$i" "$QUARTER_BYTES" >"quarter-$i"; done
fill 2 "$((SMALL_FILES * SMALL_BYTES))" >all
set -o pipefail
mkdir small parts many few
split -b "$SMALL_BYTES" -a 5 -d all small/file-
split -b "$PIECE_BYTES" -a 4 -d big parts/part-
rm all
for ((i = 0; i < MANY_ENTRIES; i++)); do echo "$i" >"many/file-$i"; done
for ((i = 0; i < FEW_ENTRIES; i++)); do echo "$i" >"few/file-$i"; done
git init --quiet --initial-branch=main repository
cd repository
export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
for ((commit = 0; commit < 4; commit++)); do
  for ((i = 0; i < TREE_FILES; i++)); do
    mkdir -p "folder-$((i / 50))"
    for ((line = 0; line < 20 + i % 200; line++)); do echo "line $line of file $i, as of commit $((i % 4 < commit ? commit : 0))"; done >"folder-$((i / 50))/file-$i"
  done
  git add .
  git -c user.name=bench -c user.email=bench@localhost commit --quiet --message "commit $commit"
done
git repack -a -d --quiet
cd ..
cp -r repository tree
rm -rf tree/.git
`;

export async function makeSourceFiles(directory: string, sizes: Sizes, signal: AbortSignal): Promise<void> {
  await mkdir(directory);
  await runLimited('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
    limitSeconds: 900,
    signal,
    env: {
      LC_ALL: 'C',
      SOURCE: directory,
      BIG_BYTES: String(sizes.bigBytes),
      QUARTER_BYTES: String(sizes.quarterBytes),
      SMALL_FILES: String(sizes.smallFiles),
      SMALL_BYTES: String(smallFileBytes),
      PIECE_BYTES: String(rawPieceBytes),
      FEW_ENTRIES: String(sizes.fewEntries),
      MANY_ENTRIES: String(sizes.manyEntries),
      TREE_FILES: String(sizes.treeFiles),
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
    },
  });
}

/** What is only read. */
export async function putSharedObjects(work: Work): Promise<void> {
  const names = ['big', 'quarter-0', 'quarter-1', 'quarter-2', 'quarter-3', 'few', 'many'];
  await putShared(
    names.map((name) => path.join(work.source, name)),
    work,
  );
  // The names are in the bucket now.
  for (const name of ['few', 'many']) await rm(path.join(work.source, name), { recursive: true });
}

/** A folder `entries-COUNT` of that many small files. */
export async function putEntries(count: number, work: Work): Promise<void> {
  const folder = path.join(work.source, `entries-${count}`);
  await mkdir(folder);
  const fill = 'cd "$1" && for ((i = 0; i < $2; i++)); do echo "$i" >"file-$i"; done';
  const limits = { limitSeconds: 600, signal: work.signal };
  await runLimited('bash', ['--norc', '-c', fill, 'bash', folder, String(count)], limits);
  await putShared([folder], work);
  await rm(folder, { recursive: true });
}

/** By `osirisfs put`: with the attributes that s3fs keeps. */
async function putShared(sources: readonly string[], work: Work): Promise<void> {
  const main = path.join(projectRoot, 'dist/src/main.cjs');
  const { server, key, bucket, signal, directory } = work;
  const args = [main, 'put', ...sources, `${bucket.name}/${sharedFolder}/`, '--key-file', key.file];
  await runLimited(process.execPath, args, {
    limitSeconds: 3600,
    signal,
    env: {
      HOME: directory,
      XDG_CONFIG_HOME: undefined,
      AWS_PROFILE: undefined,
      AWS_ENDPOINT_URL: server.endpoint,
      AWS_CA_BUNDLE: server.authority,
      AWS_ACCESS_KEY_ID: server.accessKey,
      AWS_SECRET_ACCESS_KEY: server.secretKey,
    },
  });
}
