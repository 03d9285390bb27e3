// Work on a bucket under the force-encryption policy, where Ceph 16 denies every multipart upload.
import path from 'node:path';
import { makeBucket, withBoto3 } from '../mount/bucket.js';
import { bash, runOk } from '../mount/child.js';
import { makeRandomFile } from '../mount/local-tree.js';
import { mountBucket, osirisfs } from '../mount/mounting.js';
import { makeDirectory, makeKeyFile } from '../mount/temporary.js';
import { cephTest, mebibyte } from './ceph-test.js';

cephTest(
  'files of any size are written, changed, renamed and sent where multipart uploads are denied',
  async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const command = (...args: readonly string[]) => osirisfs(args, { timeoutMs: 300_000 });
    const enforced = await command('policy', bucket, 'enforce');
    t.is(enforced.code, 0, enforced.stderr);

    const local = await makeDirectory(t);
    // One PUT, a planned upload, and one that is streamed while it is written.
    const sizes = { small: 1000, middle: 20 * mebibyte, large: 48 * mebibyte };
    for (const [name, size] of Object.entries(sizes)) await makeRandomFile(path.join(local, name), size);
    const mount = await mountBucket(t, { bucket, keyFile });
    await bash('cp "$1"/* "$2"', [local, mount.directory], { timeoutMs: 300_000 });
    const change =
      'cd "$1"; printf x >>large; printf y | dd of=middle bs=1 seek=9000000 conv=notrunc status=none; mv large moved; chmod 600 small moved';
    for (const directory of [local, mount.directory]) await bash(change, [directory], { timeoutMs: 300_000 });
    await runOk('rsync', ['-a', path.join(local, 'middle'), path.join(mount.directory, 'synced')], {
      timeoutMs: 300_000,
    });
    await mount.unmount();

    const sent = await command(
      'put',
      path.join(local, 'moved'),
      `${bucket}/sent`,
      '--key-file',
      keyFile.path,
    );
    t.is(sent.code, 0, sent.stderr);
    const second = await makeKeyFile(t);
    const rekeyed = await command('rekey', bucket, '--from', keyFile.path, '--to', second.path);
    t.is(rekeyed.code, 0, rekeyed.stderr);

    const again = await mountBucket(t, { bucket, keyFile: second });
    for (const [here, there] of [
      ['small', 'small'],
      ['middle', 'middle'],
      ['middle', 'synced'],
      ['moved', 'moved'],
      ['moved', 'sent/moved'],
    ] as const) {
      await runOk('cmp', [path.join(local, here), path.join(again.directory, there)], { timeoutMs: 300_000 });
    }
    await again.unmount();
    const uploads = `answer = len(s3.list_multipart_uploads(Bucket=bucket).get('Uploads', []))`;
    t.is(await withBoto3(uploads, { bucket }), 0);
  },
);
