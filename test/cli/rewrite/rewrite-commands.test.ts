// `osirisfs rekey` and `osirisfs encrypt` as they are typed.
import { randomBytes } from 'node:crypto';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import test, { type ExecutionContext } from 'ava';
import { flavorNames } from '../../../src/gateway/flavor.js';
import type { GatewayOptions } from '../../../src/gateway/gateway.js';
import { RequestGate } from '../../gateway/running-gateway.js';
import { waitUntil } from '../../mount/child.js';
import { nowhere } from '../../mount/temporary.js';
import { patienceMs } from '../../patience.js';
import { KeyedBucket, keyOptions, makeTestKey, never, osirisfs, startOsirisfs } from '../keyed-bucket.js';

const mebibyte = 2 ** 20;

async function makePlace(
  t: ExecutionContext,
  flavor: (typeof flavorNames)[number] = 'rgw',
  options: Partial<GatewayOptions> = {},
) {
  const [place, from, to] = await Promise.all([
    KeyedBucket.make(t, flavor, options),
    makeTestKey(t),
    makeTestKey(t),
  ]);
  const rekey = (...args: readonly string[]) =>
    osirisfs('rekey', place.bucket, '--from', from.path, '--to', to.path, ...args);
  return { place, from, to, rekey };
}

for (const flavor of flavorNames) {
  test.serial(`rekey brings every object under the new key with all it had (${flavor})`, async (t) => {
    const { place, from, to, rekey } = await makePlace(t, flavor);
    const metadata = { mode: '33152', mtime: '1000000000.123456789', other: 'kept' };
    const large = randomBytes(17 * mebibyte + 1);
    await place.put(from, 'large', large, metadata);
    await place.put(from, 'dir/small', 'small', metadata);
    await place.put(from, 'empty', '');
    await place.put(to, 'done', 'done');
    await place.put(await makeTestKey(t), 'foreign', 'foreign');
    await place.putPlain('plain', 'plain');

    const dry = await rekey('--dry-run');
    t.is(dry.code, 0, dry.stderr);
    t.deepEqual(dry.stdout.trim().split('\n').slice(0, -1).sort(), ['dir/small', 'empty', 'large']);
    t.regex(dry.stdout, /3 objects \(17\.0 MiB\) to be written again under /);
    await place.get(from, 'dir/small');

    const done = await rekey();
    t.is(done.code, 0, done.stderr);
    t.is(
      done.stdout.trim(),
      `3 objects (17.0 MiB) written again and verified under ${to.fingerprint}; 1 under it already; ` +
        '1 not encrypted, left alone; 1 under other keys, left alone; 0 failed',
    );
    const { info, content } = await place.get(to, 'large');
    t.true(content.equals(large));
    t.deepEqual(info.metadata, metadata);
    t.is(info.contentType, 'text/plain');
    t.is((await place.get(to, 'dir/small')).content.toString(), 'small');
    t.is((await place.get(to, 'empty')).info.size, 0);

    const again = await rekey();
    t.regex(again.stdout, /^0 objects .* 4 under it already;/);
  });
}

test.serial(
  'rekey that is interrupted says what was done, loses nothing, and goes on where it ended',
  async (t) => {
    let isInterrupted = false;
    const gate = new RequestGate(({ method, key }) => isInterrupted && method === 'PUT' && key === 'file-5');
    const { place, from, to, rekey } = await makePlace(t, 'rgw', { admit: gate.admit });
    const count = 24;
    const contents = Array.from({ length: count }, () => randomBytes(mebibyte));
    for (const [index, content] of contents.entries()) await place.put(from, `file-${index}`, content);
    const large = randomBytes(40 * mebibyte);
    await place.put(from, 'a-large', large);
    const args = ['rekey', place.bucket, '--from', from.path, '--to', to.path, '--max-connections', '2'];
    isInterrupted = true;
    const child = await startOsirisfs(...args);
    // It cannot come to its end before the signal does.
    await waitUntil('an object is held back', patienceMs, () => gate.heldCount > 0 || child.hasEnded());
    await waitUntil('one object is under the new key', patienceMs, async () =>
      place.get(to, 'file-0').then(
        () => true,
        () => child.hasEnded(),
      ),
    );
    child.kill('SIGINT');
    const { code, stdout, stderr } = await child.waitForEnd(patienceMs);
    isInterrupted = false;
    gate.open();
    t.is(code, 130, stderr);
    t.regex(stdout, /^\d+ objects .* written again and verified/);
    t.regex(stderr, /not finished; the same command goes on[^]*interrupted by SIGINT/);
    for (const [index, content] of contents.entries()) {
      const name = `file-${index}`;
      const found = await place.get(to, name).catch(() => place.get(from, name));
      t.true(found.content.equals(content));
    }
    t.is((await place.get(from, 'a-large').catch(() => place.get(to, 'a-large'))).content.compare(large), 0);
    const uploads = await place.connection.client.send(
      new ListMultipartUploadsCommand({ Bucket: place.bucket }),
    );
    t.is(uploads.Uploads?.length ?? 0, 0);

    const rest = await rekey();
    t.is(rest.code, 0, rest.stderr);
    for (const [index, content] of contents.entries()) {
      t.true((await place.get(to, `file-${index}`)).content.equals(content));
    }
    t.true((await place.get(to, 'a-large')).content.equals(large));
  },
);

test.serial('encrypt brings what is not encrypted under the key, and nothing else', async (t) => {
  const { place, from, to } = await makePlace(t);
  await place.putPlain('dir/plain', 'plain', { mtime: '1000000000' });
  await place.putPlain('other', 'other');
  await place.put(from, 'dir/foreign', 'foreign');
  const { code, stdout } = await osirisfs('encrypt', `${place.bucket}/dir`, ...keyOptions(to));
  t.is(code, 0);
  t.regex(stdout, /^1 objects .* 1 under other keys, left alone; 0 failed\n$/);
  const { info, content } = await place.get(to, 'dir/plain');
  t.is(content.toString(), 'plain');
  t.deepEqual(info.metadata, { mtime: '1000000000' });
  t.false((await place.store(to).head('other', never)).isEncrypted);
  await place.get(from, 'dir/foreign');
});

test.serial('bad input is one line and an exit code', async (t) => {
  const { place, from, to } = await makePlace(t);
  for (const [args, code, line] of [
    [['rekey'], 2, /^arguments are missing/],
    [['rekey', place.bucket], 2, /^--to is missing: the file with the key$/],
    [['rekey', place.bucket, '--to', to.path], 2, /^--from is missing: the file with the key$/],
    [['rekey', place.bucket, '--to', to.path, '--from', to.path], 1, /^--from and --to are the same key$/],
    [
      ['rekey', place.bucket, '--to', to.path, '--from', nowhere],
      1,
      /^the key file \/proc\/nowhere does not exist$/,
    ],
    [['rekey', 'no-such-bucket', '--to', to.path, '--from', from.path], 1, /^there is no bucket/],
    [['rekey', place.bucket, ...keyOptions(to)], 2, /^unknown option --key-file; see osirisfs rekey --help$/],
    [['encrypt', place.bucket], 2, /^--key-file is missing/],
  ] as const) {
    const ended = await osirisfs(...args);
    t.is(ended.code, code, ended.stderr);
    t.regex(ended.stderr.trim().replace(/^osirisfs: /, ''), line);
  }
});
