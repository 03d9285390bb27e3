// What the environment asks of Node that would give the customer key away.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { disarmEnvironment } from '../../src/cli/unsafe-environment.js';
import { osirisfs, isMounted, makeMountpoint } from '../mount/mounting.js';
import { makeDirectory, makeKeyFile } from '../mount/temporary.js';
import { makeCertificate, startFakeServer } from '../s3/fake-server.js';

test('NODE_TLS_REJECT_UNAUTHORIZED is taken away, and told of, only where it says 0', (t) => {
  for (const [value, left, told] of [
    ['0', undefined, 1],
    ['1', '1', 0],
    [undefined, undefined, 0],
  ] as const) {
    const environment: Record<string, string | undefined> = { NODE_TLS_REJECT_UNAUTHORIZED: value };
    const lines: string[] = [];
    disarmEnvironment(environment, (line) => lines.push(line));
    t.is(environment['NODE_TLS_REJECT_UNAUTHORIZED'], left);
    t.is(lines.length, told);
  }
});

test.serial(
  'with NODE_TLS_REJECT_UNAUTHORIZED=0 no command sends anything to a server that is not trusted',
  async (t) => {
    const { endpoint, received } = await startFakeServer(
      t,
      (_, response) => response.end(),
      await makeCertificate(t),
    );
    const scratch = await makeDirectory(t);
    const directory = await makeMountpoint(t);
    const logFile = path.join(scratch, 'log');
    const key = ['--key-file', (await makeKeyFile(t)).path];
    const env = {
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
      AWS_ENDPOINT_URL: endpoint.href,
      AWS_ACCESS_KEY_ID: 'ACCESS',
      AWS_SECRET_ACCESS_KEY: 'hushhush',
      AWS_CA_BUNDLE: undefined,
      AWS_PROFILE: undefined,
      HOME: scratch,
      XDG_RUNTIME_DIR: scratch,
      XDG_CONFIG_HOME: scratch,
    };
    for (const [command, refusal] of [
      [['ls', 'bucket', ...key], /^osirisfs: the certificate of \S+ is not trusted/m],
      [
        ['mount', 'bucket', directory, ...key, '--log-file', logFile],
        /^osirisfs: the certificate of \S+ is not trusted/m,
      ],
      [['doctor', 'bucket', ...key], /^failed +TLS +\S+: [A-Z_]+; if the certificate is not trusted/m],
    ] as const) {
      const { code, stdout, stderr } = await osirisfs(command, { env });
      t.is(code, 1, command[0]);
      t.regex(stdout + stderr, refusal);
      const told = stderr.split('\n').filter((line) => line.includes('NODE_TLS_REJECT_UNAUTHORIZED'));
      t.deepEqual(told, [
        'osirisfs: NODE_TLS_REJECT_UNAUTHORIZED=0 is ignored: certificates are always checked',
      ]);
    }
    t.false(await isMounted(directory));
    t.false((await readFile(logFile, 'utf8')).includes('NODE_TLS_REJECT_UNAUTHORIZED'));
    t.deepEqual(received, []);
  },
);

test.serial('an inspector that Node was told to open is told of, without the way to it', async (t) => {
  const { code, stderr } = await osirisfs(['doctor', '--help'], {
    env: { NODE_OPTIONS: '--inspect=127.0.0.1:0' },
  });
  t.is(code, 0);
  const told = /^osirisfs: Node's inspector listens at 127\.0\.0\.1:\d+: .* without --inspect/m;
  t.regex(stderr, told);
});
