// A mount with two key files, in the background, where the keys pass from the command to the process that serves.
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import test from 'ava';
import { bash } from '../../mount/child.js';
import { makeDirectory } from '../../mount/temporary.js';
import { KeyedBucket, keyOptions, makeTestKey, osirisfs } from '../keyed-bucket.js';

const mebibyte = 2 ** 20;

test('files under the old key are read, and what is changed comes under the new one', async (t) => {
  const [place, fresh, old, local] = await Promise.all([
    KeyedBucket.make(t),
    makeTestKey(t),
    makeTestKey(t),
    makeDirectory(t),
  ]);
  const content = randomBytes(12 * mebibyte);
  const metadata = { mode: String(0o100644), mtime: '1000000000.000000000' };
  for (const name of ['patched', 'moved', 'large-moved', 'left']) {
    await place.put(old, name, name === 'moved' ? 'moved' : content, metadata);
  }
  await bash('mkdir "$1/mnt"', [local]);
  const directory = path.join(local, 'mnt');
  const log = ['--log-file', path.join(local, 'log')];
  const mounted = await osirisfs('mount', place.bucket, directory, ...log, ...keyOptions(fresh, old));
  t.teardown(async () => {
    await bash('! mountpoint -q "$1" || fusermount3 -uz "$1"', [directory]);
  });
  t.is(mounted.code, 0, mounted.stderr);
  const script = `cd "$1"
    md5sum < left | cut -d ' ' -f 1
    printf new | dd of=patched bs=1 seek=7000000 conv=notrunc status=none
    mv moved renamed
    mv large-moved large-renamed
    chmod 600 renamed`;
  const hash = await bash(script, [directory]);
  const { code, stderr } = await osirisfs('umount', directory);
  t.is(code, 0, stderr);
  t.is(hash.trim(), (await place.get(old, 'left')).info.etag);
  const expected = Buffer.from(content);
  expected.write('new', 7_000_000);
  t.true((await place.get(fresh, 'patched')).content.equals(expected));
  t.true((await place.get(fresh, 'large-renamed')).content.equals(content));
  const renamed = await place.get(fresh, 'renamed');
  t.is(renamed.content.toString(), 'moved');
  t.is(renamed.info.metadata['mode'], String(0o100600));
});
