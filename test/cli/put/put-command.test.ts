// `osirisfs put` and `osirisfs get` as they are typed: what one stores the other fetches.
import { randomBytes } from 'node:crypto';
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { ListPartsCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import test, { type ExecutionContext } from 'ava';
import { flavorNames, type FlavorName } from '../../../src/gateway/flavor.js';
import type { GatewayOptions } from '../../../src/gateway/gateway.js';
import { RequestGate } from '../../gateway/running-gateway.js';
import { run, start, waitUntil } from '../../mount/child.js';
import { makeDirectory, nowhere } from '../../mount/temporary.js';
import { projectRoot } from '../../mount/user.js';
import { patienceMs } from '../../patience.js';
import { KeyedBucket, keyOptions, makeTestKey } from '../keyed-bucket.js';

const mebibyte = 2 ** 20;
const main = `${projectRoot}/dist/src/main.cjs`;

async function makePlace(
  t: ExecutionContext,
  flavor: FlavorName = 'rgw',
  options: Partial<GatewayOptions> = {},
) {
  const [place, key, local] = await Promise.all([
    KeyedBucket.make(t, flavor, options),
    makeTestKey(t),
    makeDirectory(t),
  ]);
  const env = {
    XDG_CONFIG_HOME: nowhere,
    XDG_STATE_HOME: path.join(local, 'state'),
    OSIRISFS_KEY_FILE: undefined,
  };
  const argsOf = (args: readonly string[]) => [main, ...args, ...keyOptions(key)];
  return {
    place,
    key,
    local,
    bucket: place.bucket,
    osirisfs: (...args: readonly string[]) => run(process.execPath, argsOf(args), { env }),
    start: (...args: readonly string[]) => start(process.execPath, argsOf(args), { env }),
  };
}

async function makeTree(local: string) {
  const tree = path.join(local, 'tree');
  await mkdir(path.join(tree, 'dir/empty'), { recursive: true });
  const large = randomBytes(17 * mebibyte + 1);
  await writeFile(path.join(tree, 'large'), large);
  await writeFile(path.join(tree, 'dir/script'), 'echo', { mode: 0o755 });
  await chmod(path.join(tree, 'dir/script'), 0o750);
  await utimes(path.join(tree, 'dir/script'), 1_000_000_000.5, 1_000_000_000.5);
  await writeFile(path.join(tree, 'dir/nothing'), '');
  await symlink('../large', path.join(tree, 'dir/link'));
  return { tree, large };
}

for (const flavor of flavorNames) {
  test.serial(`a tree that is put and got is the same, and is not sent twice (${flavor})`, async (t) => {
    const { place, key, local, bucket, osirisfs } = await makePlace(t, flavor);
    const { tree, large } = await makeTree(local);
    const put = await osirisfs('put', tree, `${bucket}/backup`);
    t.is(put.code, 0, put.stderr);
    t.regex(put.stdout, /^7 stored \(17\.0 MiB\), 0 there already, 0 failed$/m);
    const { info, content } = await place.get(key, 'backup/tree/large');
    t.true(content.equals(large));
    t.is(info.metadata['mode'], String(0o100000 | ((await lstat(path.join(tree, 'large'))).mode & 0o777)));
    t.is((await place.get(key, 'backup/tree/dir/script')).info.metadata['mtime'], '1000000000.500000000');
    t.is((await place.get(key, 'backup/tree/dir/link')).content.toString(), '../large');
    const again = await osirisfs('put', tree, `${bucket}/backup`);
    t.regex(again.stdout, /^0 stored \(0 B\), 7 there already, 0 failed$/m);

    const copy = path.join(local, 'copy');
    const target = path.join(copy, 'tree');
    const get = await osirisfs('get', `${bucket}/backup/tree`, copy);
    t.is(get.code, 0, get.stderr);
    t.true((await readFile(path.join(target, 'large'))).equals(large));
    const script = await lstat(path.join(target, 'dir/script'));
    t.is(script.mode & 0o777, 0o750);
    t.is(script.mtimeMs, 1_000_000_000_500);
    t.is(await readlink(path.join(target, 'dir/link')), '../large');
    t.deepEqual((await readdir(target, { recursive: true })).sort(), [
      'dir',
      'dir/empty',
      'dir/link',
      'dir/nothing',
      'dir/script',
      'large',
    ]);
    const second = await osirisfs('get', `${bucket}/backup/tree`, copy);
    t.regex(second.stdout, / 3 there already, 0 failed$/m);
  });
}

test.serial('one file goes by the name that it is given, or into a directory', async (t) => {
  const { place, key, local, bucket, osirisfs } = await makePlace(t);
  await writeFile(path.join(local, 'a'), 'A');
  await mkdir(path.join(local, 'dir'));
  await writeFile(path.join(local, 'dir/b'), 'B');
  const put = await osirisfs('put', path.join(local, 'a'), `${local}/dir/.`, bucket);
  t.is(put.code, 0, put.stderr);
  t.is((await place.get(key, 'a')).content.toString(), 'A');
  t.is((await place.get(key, 'b')).content.toString(), 'B');
  await osirisfs('get', `${bucket}/a`, path.join(local, 'new-name'));
  t.is(await readFile(path.join(local, 'new-name'), 'utf8'), 'A');
  await osirisfs('get', `${bucket}/a`, `${bucket}/b`, path.join(local, 'dir'));
  t.is(await readFile(path.join(local, 'dir/a'), 'utf8'), 'A');
});

for (const flavor of flavorNames) {
  test.serial(
    `what was stored by one PUT, and is fetched in several ranges, is compared with its ETag (${flavor})`,
    async (t) => {
      const { place, key, local, bucket, osirisfs } = await makePlace(t, flavor);
      const content = randomBytes(33 * mebibyte);
      await place.put(key, 'large', content);
      const get = await osirisfs('get', `${bucket}/large`, path.join(local, 'copy'));
      t.is(get.code, 0, get.stderr);
      t.true((await readFile(path.join(local, 'copy'))).equals(content));
    },
  );
}

test.serial('a put that is interrupted goes on with the parts that the server has', async (t) => {
  // Over the one connection parts come one after the other, but not in the order of their numbers.
  let partsSent = 0;
  const gate = new RequestGate(({ method, query }) => {
    if (method !== 'PUT' || !query.some(([name]) => name === 'partNumber')) return false;
    partsSent += 1;
    return partsSent > 3;
  });
  const {
    place,
    key,
    local,
    bucket,
    osirisfs,
    start: begin,
  } = await makePlace(t, 'rgw', { admit: gate.admit });
  const file = path.join(local, 'large');
  const content = randomBytes(100 * mebibyte);
  await writeFile(file, content);
  const child = await begin('put', file, bucket, '--max-connections', '1');
  const { client } = place.connection;
  const findParts = async () => {
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    const UploadId = Uploads[0]?.UploadId;
    if (UploadId === undefined) return undefined;
    const { Parts = [] } = await client.send(
      new ListPartsCommand({ Bucket: bucket, Key: 'large', UploadId }),
    );
    return { UploadId, parts: Parts };
  };
  // It cannot come to its end before the signal does.
  await waitUntil('a part is held back', patienceMs, () => {
    if (child.hasEnded()) throw new Error(child.output());
    return gate.heldCount > 0;
  });
  t.is((await findParts())?.parts.length, 3);
  child.kill('SIGINT');
  const ended = await child.waitForEnd(patienceMs);
  gate.open();
  t.is(ended.code, 130, ended.stderr);
  t.regex(ended.stderr, /not finished; the same command goes on[^]*interrupted by SIGINT/);
  const before = await findParts();
  t.true((before?.parts.length ?? 0) > 0);

  const rest = await osirisfs('put', file, bucket);
  t.is(rest.code, 0, rest.stderr);
  t.true((await place.get(key, 'large')).content.equals(content));
  t.is(await findParts(), undefined);
  t.deepEqual(await readdir(path.join(local, 'state/osirisfs/uploads')), []);
});

test.serial('a bucket cannot make get write elsewhere, and what fails is counted', async (t) => {
  const { place, key, local, bucket, osirisfs } = await makePlace(t);
  const outside = await makeDirectory(t);
  const link = { mode: String(0o120777) };
  await place.put(key, 'link', outside, link);
  await place.put(key, 'link/file', 'stolen');
  await place.put(key, '../escaped', 'x');
  await place.put(key, 'good', 'good');
  await place.put(await makeTestKey(t), 'foreign', 'foreign');
  const target = path.join(local, 'target');
  const { code, stdout, stderr } = await osirisfs('get', bucket, target);
  t.is(code, 1);
  t.regex(stdout, / failed$/m);
  t.regex(stderr, /foreign: the object is encrypted under another customer key/);
  t.regex(stderr, /"\.\.\/escaped" cannot be the name of a file/);
  t.deepEqual(await readdir(outside), []);
  t.is(await readFile(path.join(target, 'good'), 'utf8'), 'good');
  t.false((await readdir(local)).includes('escaped'));
  t.deepEqual(
    (await readdir(target)).filter((name) => name.includes('osirisfs-part')),
    [],
  );
});

test.serial('bad input is one line and an exit code', async (t) => {
  const { local, bucket, osirisfs } = await makePlace(t);
  for (const [args, code, line] of [
    [['put'], 2, /^arguments are missing/],
    [['put', local], 2, /^put needs SOURCE\.\.\. and BUCKET/],
    [['get', bucket], 2, /^get needs BUCKET\[\/PREFIX\]\.\.\. and DEST/],
    [['put', nowhere, bucket], 1, /^ENOENT: no such file or directory, stat '\/proc\/nowhere'$/],
    [['put', '/dev/null', bucket], 1, /^\/dev\/null is neither a file, a directory nor/],
    [['get', `${bucket}/nothing`, local], 1, /^there is nothing at "nothing\/"$/],
    [['get', bucket, bucket, '/dev/null'], 1, /^\/dev\/null is not a directory$/],
    [['put', local, 'no-such-bucket'], 1, /^there is no bucket "no-such-bucket"/],
    [['put', local, bucket, '-r'], 2, /^unknown option -r; see osirisfs put --help$/],
  ] as const) {
    const ended = await osirisfs(...args);
    t.is(ended.code, code, ended.stderr);
    t.regex(ended.stderr.trim().replace(/^osirisfs: /, ''), line);
  }
});
