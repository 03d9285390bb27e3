// Where requests go when a profile without a server is named, by option, variable or config file.
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { NamedFinding } from '../../src/cli/doctor/checks.js';
import { osirisfs } from '../mount/mounting.js';
import { makeDirectory, makeKeyFile } from '../mount/temporary.js';
import { startFakeServer } from '../s3/fake-server.js';

/** Loaded into the program before it begins: no name resolves, so that nothing is asked of the real AWS. */
const noNames = `
const dns = require('node:dns');
const refuse = () => Object.assign(new Error('no names here'), { code: 'ENOTFOUND' });
const { lookup } = dns;
dns.lookup = (name, options, callback) => {
  if (require('node:net').isIP(name)) return lookup(name, options, callback);
  process.nextTick(typeof options === 'function' ? options : callback, refuse());
};
dns.promises.lookup = () => Promise.reject(refuse());
require('node:module').syncBuiltinESMExports();
`;

type Environment = Readonly<Record<string, string | undefined>>;

interface Place {
  readonly keyFile: string;
  readonly received: readonly unknown[];
  readonly file: string;
  readonly configFile: string;
  readonly env: Environment;
}

/** A home whose default profile leads to a plain http server, and whose profile `science` leads nowhere. */
async function makePlace(t: ExecutionContext): Promise<Place> {
  const { endpoint, received } = await startFakeServer(t, (_, response) => response.end());
  const home = await makeDirectory(t);
  const aws = path.join(home, '.aws');
  await mkdir(aws);
  await writeFile(
    path.join(aws, 'config'),
    `[default]\nendpoint_url = ${endpoint.href}\nregion = us-east-1\n[profile science]\nregion = us-east-1\n`,
  );
  const pair = (name: string) => `[${name}]\naws_access_key_id = A\naws_secret_access_key = hushhush\n`;
  await writeFile(path.join(aws, 'credentials'), pair('default') + pair('science'));
  await chmod(path.join(aws, 'credentials'), 0o600);
  const preload = path.join(home, 'no-names.cjs');
  await writeFile(preload, noNames);
  const file = path.join(home, 'file');
  await writeFile(file, 'secret content');
  const unset = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3'];
  unset.push('AWS_PROFILE', 'AWS_REGION', 'AWS_CA_BUNDLE', 'OSIRISFS_CONFIG', 'XDG_CONFIG_HOME');
  return {
    keyFile: (await makeKeyFile(t)).path,
    received,
    file,
    configFile: path.join(home, 'config.toml'),
    env: {
      ...Object.fromEntries(unset.map((name) => [name, undefined])),
      HOME: home,
      NODE_OPTIONS: `--require ${preload}`,
      AWS_EC2_METADATA_DISABLED: 'true',
    },
  };
}

test.serial('a plain http server of the default profile is refused', async (t) => {
  const { keyFile, received, env } = await makePlace(t);
  const { code, stderr } = await osirisfs(['ls', 'bucket', '--key-file', keyFile], { env });
  t.is(code, 1);
  t.regex(stderr, /^osirisfs: the endpoint "http:\S+" is plain http: use https$/m);
  t.deepEqual(received, []);
});

for (const [how, args, variables] of [
  ['--profile', ['--profile', 'science'], {}],
  ['AWS_PROFILE', [], { AWS_PROFILE: 'science' }],
  ['OSIRISFS_PROFILE', [], { OSIRISFS_PROFILE: 'science' }],
  ['the config file', [], {}],
] as const) {
  test.serial(
    `a profile without a server, named by ${how}, means AWS and not another profile's server`,
    async (t) => {
      const { keyFile, received, file, configFile, env: common } = await makePlace(t);
      const env: Environment = { ...common, ...variables, OSIRISFS_CONFIG: configFile };
      await writeFile(configFile, how === 'the config file' ? 'profile = "science"\n' : '');
      const key = ['--key-file', keyFile, ...args];
      for (const command of [
        ['ls', 'my-bucket', '-l'],
        ['put', file, 'my-bucket'],
      ]) {
        const { code, stderr } = await osirisfs([...command, ...key], { env });
        t.is(code, 1, command[0]);
        t.regex(stderr, /^osirisfs: the name AWS does not resolve/m, command[0]);
      }
      const doctor = await osirisfs(['doctor', '--json', ...args], { env });
      const findings = JSON.parse(doctor.stdout) as NamedFinding[];
      t.is(findings.find(({ name }) => name === 'endpoint')?.text, 'AWS, as no other is configured');
      t.deepEqual(received, []);
    },
  );
}
