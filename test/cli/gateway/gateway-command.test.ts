// `osirisfs gateway` as it is typed: what it prints, how it stops, and one line for each failure.
import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { startGatewayProcess } from '../../gateway/running-gateway.js';
import { run } from '../../mount/child.js';
import { createBucket, withBoto3 } from '../../mount/bucket.js';
import { makeDirectory, makeKeyFile } from '../../mount/temporary.js';
import { projectRoot } from '../../mount/user.js';
import { patienceMs } from '../../patience.js';

const main = path.join(projectRoot, 'dist/src/main.cjs');
const osirisfs = (...args: readonly string[]) => run(process.execPath, [main, ...args]);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test.serial(`the gateway runs until ${signal}, and has everything again at the next start`, async (t) => {
    const directory = path.join(await makeDirectory(t), "it's here");
    const keyFile = await makeKeyFile(t);
    const first = await startGatewayProcess(t, directory);
    t.regex(first.child.output(), /for trying and testing only: https:\/\/127\.0\.0\.1:\d+, as rgw/);
    t.true(first.child.output().includes(path.join(directory, 'tls/ca.crt')));
    t.is((await stat(path.join(directory, 'access-key.json'))).mode & 0o777, 0o600);
    const escaped = { ...first.env, AWS_CA_BUNDLE: path.join(directory, 'tls/ca.crt') };
    t.false(first.child.output().includes(first.env['AWS_SECRET_ACCESS_KEY']!));
    const bucket = await createBucket(escaped);
    await withBoto3(
      `s3.put_object(Bucket=bucket, Key='file', Body=b'kept', **key)`,
      { bucket, keyFile },
      { env: escaped },
    );
    first.child.kill(signal);
    const { code, stderr } = await first.child.waitForEnd(patienceMs);
    t.is(code, 0);
    t.is(stderr, '');
    const second = await startGatewayProcess(t, directory, ['--flavor', 'aws']);
    t.is(second.env['AWS_SECRET_ACCESS_KEY'], first.env['AWS_SECRET_ACCESS_KEY']);
    const env = { ...escaped, AWS_ENDPOINT_URL: second.env['AWS_ENDPOINT_URL'] };
    const script = `answer = s3.get_object(Bucket=bucket, Key='file', **key)['Body'].read().decode()`;
    t.is(await withBoto3(script, { bucket, keyFile }, { env: env }), 'kept');
  });
}

test.serial('a second gateway in one directory is refused, and so is a port that is taken', async (t) => {
  const directory = path.join(await makeDirectory(t), 'gateway');
  const { env } = await startGatewayProcess(t, directory);
  const second = await osirisfs('gateway', directory, '--listen', '127.0.0.1:0');
  t.is(second.code, 1);
  t.is(second.stderr, `osirisfs: a gateway is running in ${directory} already\n`);
  const { host } = new URL(env['AWS_ENDPOINT_URL']!);
  const third = await osirisfs('gateway', path.join(await makeDirectory(t), 'other'), '--listen', host);
  t.is(third.code, 1);
  t.is(third.stderr, `osirisfs: listen EADDRINUSE: address already in use ${host}\n`);
});

test.serial('bad input is one line and an exit code', async (t) => {
  const directory = await makeDirectory(t);
  const foreign = path.join(directory, 'foreign');
  const file = path.join(directory, 'file');
  await writeFile(file, '');
  for (const [args, code, line] of [
    [[], 2, /^arguments are missing/],
    [[directory], 1, /is neither empty nor a gateway's$/],
    [[file], 1, /EEXIST|ENOTDIR/],
    [[foreign, '--print-env'], 1, /^no gateway has run in /],
    [[foreign, '--listen', 'nowhere'], 2, /^--listen: "nowhere" is not HOST:PORT like 127\.0\.0\.1:8443$/],
    [[foreign, '--listen', '127.0.0.1:70000'], 2, /is not HOST:PORT/],
    [[foreign, '--flavor', 'minio'], 2, /^--flavor: "minio" is not one of rgw, ceph18, aws$/],
    [[foreign, '--log-level', 'loud'], 2, /^--log-level: "loud" is not one of /],
    [[foreign, '--flavour', 'aws'], 2, /^unknown option --flavour; see osirisfs gateway --help$/],
  ] as const) {
    const ended = await osirisfs('gateway', ...args);
    t.is(ended.code, code, ended.stderr);
    t.regex(ended.stderr.trim().replace(/^osirisfs: /, ''), line);
    t.is(ended.stderr.trim().split('\n').length, 1);
  }
});

test('the help says what the gateway is for, and its defaults', async (t) => {
  const { stdout, code } = await osirisfs('gateway', '--help');
  t.is(code, 0);
  for (const words of [
    'For trying and testing',
    '[default: 127.0.0.1:8443]',
    '[default: rgw]',
    'rgw|ceph18|aws: ',
    'AES-256-GCM',
  ]) {
    t.true(stdout.includes(words), words);
  }
});
