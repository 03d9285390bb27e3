// `osirisfs setup` as it is typed, against the embedded gateway: without questions, with them on a terminal, and with bad input.
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { RunningGateway } from '../../../src/gateway/gateway.js';
import { runGateway } from '../../gateway/running-gateway.js';
import { bash, run, runOk, type Finished } from '../../mount/child.js';
import { withBoto3 } from '../../mount/bucket.js';
import { isMounted, makeMountpoint } from '../../mount/mounting.js';
import { makeDirectory, makeKeyFile } from '../../mount/temporary.js';
import { projectRoot } from '../../mount/user.js';

const main = path.join(projectRoot, 'dist/src/main.cjs');

interface Place {
  readonly gateway: RunningGateway;
  readonly home: string;
  readonly secretFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Options that say where the gateway is and who asks. */
  readonly options: readonly string[];
}

async function makePlace(t: ExecutionContext): Promise<Place> {
  const gateway = await runGateway(t, 'rgw');
  const home = await makeDirectory(t);
  const secretFile = path.join(home, 'secret');
  await writeFile(secretFile, `${gateway.accessKey.secretAccessKey}\n`, { mode: 0o600 });
  const unset = [
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_ENDPOINT_URL',
    'AWS_CA_BUNDLE',
    'AWS_REGION',
  ];
  const env = {
    HOME: home,
    AWS_PROFILE: 'osirisfs',
    XDG_CONFIG_HOME: undefined,
    XDG_STATE_HOME: undefined,
    ...Object.fromEntries(unset.map((name) => [name, undefined])),
  };
  const options = ['--endpoint', gateway.endpoint, '--ca-bundle', gateway.authorityFile];
  options.push('--access-key', gateway.accessKey.accessKeyId);
  return { gateway, home, secretFile, env, options };
}

function setup({ env }: Place, args: readonly string[], input = ''): Promise<Finished> {
  return run(process.execPath, [main, 'setup', ...args], { env, input });
}

async function modeOf(file: string): Promise<number> {
  return (await stat(file)).mode & 0o777;
}

test.serial(
  'without questions: bucket, key and files are made, and a mount needs nothing else',
  async (t) => {
    const place = await makePlace(t);
    const { home, gateway, secretFile, env } = place;
    await mkdir(path.join(home, '.aws'));
    await writeFile(path.join(home, '.aws/credentials'), '[default]\naws_access_key_id = OTHER\n', {
      mode: 0o644,
    });
    await mkdir(path.join(home, '.config/osirisfs'), { recursive: true });
    await writeFile(path.join(home, '.config/osirisfs/config.toml'), '# mine\ncache-size = "64MiB"\n');
    const keyFile = path.join(home, 'data.key');
    const args = [...place.options, '--organisation', 'Lab', '--bucket', 'lab-data', '--key-file', keyFile];
    const ended = await setup(place, [...args, '--secret-file', secretFile, '--yes']);
    t.is(ended.code, 0, ended.stderr);
    t.regex(ended.stdout, /mount it: mkdir -p ~\/lab-data && osirisfs mount lab-data ~\/lab-data\n$/);
    t.false(ended.stdout.includes(gateway.accessKey.secretAccessKey));
    t.is(
      await readFile(path.join(home, '.aws/credentials'), 'utf8'),
      `[default]\naws_access_key_id = OTHER\n\n[osirisfs]\naws_access_key_id = ${gateway.accessKey.accessKeyId}\naws_secret_access_key = ${gateway.accessKey.secretAccessKey}\n`,
    );
    const config = await readFile(path.join(home, '.config/osirisfs/config.toml'), 'utf8');
    t.regex(config, /# mine\ncache-size = "64MiB"\n$/);
    t.regex(config, /^location = ":lab"$/m); // for buckets that a mount makes
    for (const file of ['.aws/credentials', '.aws/config', '.config/osirisfs/config.toml', 'data.key']) {
      t.is(await modeOf(path.join(home, file)), 0o600, file);
    }
    const location = `answer = s3.get_bucket_location(Bucket=bucket)['LocationConstraint']`;
    t.is(await withBoto3(location, { bucket: 'lab-data' }), ':lab');

    const directory = await makeMountpoint(t);
    t.teardown(async () => {
      if (await isMounted(directory)) await run('fusermount3', ['-u', '-z', directory]);
    });
    await runOk(process.execPath, [main, 'mount', 'lab-data', directory], { env });
    await bash('echo there > "$1/file"', [directory]);
    await runOk(process.execPath, [main, 'umount', directory], { env });
    t.deepEqual(await withBoto3(`answer = [item['Key'] for item in listed()]`, { bucket: 'lab-data' }), [
      'file',
    ]);

    const again = await setup(place, [...args, '--secret-file', '-'], gateway.accessKey.secretAccessKey);
    t.is(again.code, 0, again.stderr);
    t.regex(again.stdout, /it decrypts what is in the bucket/);
  },
);

/** Answers each question when it is there; prints what the terminal showed. */
const typist = `
import fcntl, json, os, pty, select, struct, sys, termios, time
given = json.load(sys.stdin)
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 200, 0, 0))
    os.execvp(given['command'][0], given['command'])
shown, at, deadline = '', 0, time.monotonic() + 120
steps = list(given['steps'])
while True:
    if time.monotonic() > deadline:
        os.kill(pid, 9)
        sys.exit('not within two minutes: ' + repr(steps[:1]) + shown)
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data.decode(errors='replace')
    if steps and steps[0][0] in shown[at:]:
        at = len(shown)
        os.write(terminal, steps.pop(0)[1].encode())
_, status = os.waitpid(pid, 0)
json.dump({'code': os.waitstatus_to_exitcode(status), 'shown': shown, 'left': steps}, sys.stdout)
`;

async function typeAnswers(
  place: Place,
  args: readonly string[],
  steps: readonly (readonly [string, string])[],
): Promise<{ readonly code: number; readonly shown: string; readonly left: readonly unknown[] }> {
  const input = JSON.stringify({ command: [process.execPath, main, 'setup', ...args], steps });
  const output = await runOk('/usr/bin/python3', ['-c', typist], {
    env: { ...place.env, TERM: 'xterm' },
    input,
    timeoutMs: 150_000,
  });
  return JSON.parse(output) as Awaited<ReturnType<typeof typeAnswers>>;
}

test.serial('with questions: wrong answers are asked again, and the secret is not shown', async (t) => {
  const place = await makePlace(t);
  const { gateway, home } = place;
  const { accessKeyId, secretAccessKey } = gateway.accessKey;
  const up = '\u001b[A';
  const { code, shown, left } = await typeAnswers(
    place,
    ['--ca-bundle', gateway.authorityFile],
    [
      ['Which S3 server?', `${up}\r`],
      ['Its address', `\u0015https://127.0.0.1:1\r`],
      ['Which S3 server?', `${up}\r`],
      ['Its address', `\u0015${gateway.endpoint}\r`],
      ['Access key', `${accessKeyId}\r`],
      ['Secret key', 'wrong\r'],
      ['Access key', `${accessKeyId}\r`],
      ['Secret key', `${secretAccessKey}\r`],
      ['made if it is missing', 'asked-data\r'],
      ['Make it?', 'y'],
      ['File of the customer key', '\r'],
      ['Make a customer key there?', 'y'],
    ],
  );
  t.is(code, 0, shown);
  t.deepEqual(left, []);
  for (const problem of ['refuses connections', 'does not belong to the access key'])
    t.true(shown.includes(problem));
  t.false(shown.includes(secretAccessKey));
  t.true((await readFile(path.join(home, '.aws/credentials'), 'utf8')).includes(secretAccessKey));
  t.is(await modeOf(path.join(home, 'asked-data.key')), 0o600);
});

test.serial('Ctrl-C at a question ends with 130 and nothing written', async (t) => {
  const place = await makePlace(t);
  const { code, shown } = await typeAnswers(place, [], [['Which S3 server?', '\u0003']]);
  t.is(code, 130, shown);
  await t.throwsAsync(stat(path.join(place.home, '.aws')), { code: 'ENOENT' });
});

test.serial('bad input is one line and an exit code, and nothing is written', async (t) => {
  const place = await makePlace(t);
  const { home, gateway, secretFile, options } = place;
  const keyFile = await makeKeyFile(t);
  const otherKey = await makeKeyFile(t);
  await withBoto3(
    `s3.create_bucket(Bucket=bucket)\ns3.put_object(Bucket=bucket, Key='a', Body=b'b', **key)`,
    { bucket: 'there', keyFile },
  );
  const open = path.join(home, 'open');
  await writeFile(open, 'secret', { mode: 0o644 });
  const wrong = path.join(home, 'wrong');
  await writeFile(wrong, 'wrong', { mode: 0o600 });
  const all = [...options, '--secret-file', secretFile];
  const server = options.slice(0, 4);
  const missingKey = path.join(home, 'missing.key');
  for (const [args, code, line] of [
    [[], 2, /^--site or --endpoint is missing, and there is no terminal to ask at$/],
    [['--site', 'osu'], 2, /^--site: "osu" is not one of auto, um, msu, wsu, vai$/],
    [['--site', 'um', '--endpoint', gateway.endpoint], 2, /both name a server/],
    [['--endpoint', 'rgw.example.org'], 2, /^--endpoint: "rgw.example.org" is not a URL/],
    [['--endpoint', 'https://127.0.0.1:1'], 1, /^127\.0\.0\.1:1 refuses connections/],
    [['--endpoint', gateway.endpoint], 1, /is not trusted/],
    [server, 2, /^--access-key is missing/],
    [options, 2, /^the secret key .* is missing/],
    [[...options, '--secret-file', open], 1, /others than its owner have access; run: chmod 600/],
    [[...options, '--secret-file', wrong], 1, /^the secret key does not belong to the access key/],
    [[...options, '--secret', 'x'], 2, /^unknown option --secret;/],
    [all, 2, /^--bucket is missing/],
    [[...all, '--bucket', 'none'], 1, /^there is no bucket none; --yes goes on all the same$/],
    [[...all, '--bucket', 'x'], 2, /is not the name of a bucket/],
    [
      [...all, '--bucket', 'none', '--organisation', 'Lab', '--yes'],
      1,
      /organisation Lab have to begin with lab-$/,
    ],
    [[...all, '--bucket', 'there'], 2, /^--key-file is missing/],
    [[...all, '--bucket', 'there', '--key-file', missingKey], 1, /does not exist; --yes goes on/],
    [
      [...all, '--bucket', 'there', '--key-file', missingKey, '--yes'],
      1,
      /encrypted under another key than a new one/,
    ],
    [
      [...all, '--bucket', 'there', '--key-file', otherKey.path],
      1,
      /does not decrypt the objects in bucket "there"/,
    ],
  ] as const) {
    const ended = await setup(place, args);
    t.is(ended.code, code, `${args.join(' ')}: ${ended.stderr}`);
    t.regex(ended.stderr.trim().replace(/^osirisfs: /, ''), line);
    t.is(ended.stderr.trim().split('\n').length, 1);
  }
  await t.throwsAsync(stat(path.join(home, '.aws')), { code: 'ENOENT' });
  await t.throwsAsync(stat(missingKey), { code: 'ENOENT' });
  await mkdir(path.join(home, '.aws'));
  await writeFile(path.join(home, '.aws/credentials'), '[osirisfs]\naws_access_key_id = OTHER\n');
  const taken = await setup(place, [...all, '--bucket', 'there', '--key-file', keyFile.path]);
  t.is(taken.code, 1);
  t.regex(
    taken.stderr,
    /other values already: aws_access_key_id in \S+credentials; nothing was written; --yes/,
  );
  t.is(
    await readFile(path.join(home, '.aws/credentials'), 'utf8'),
    '[osirisfs]\naws_access_key_id = OTHER\n',
  );
});
