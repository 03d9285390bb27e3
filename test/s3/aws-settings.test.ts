import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { StoreError } from '../../src/errors.js';
import { readAwsSettings } from '../../src/s3/aws-settings.js';
import { temporaryDirectory } from './fake-server.js';

/** The loader of the SDK looks for the files in process.env: these tests run one after the other. */
async function writeAwsFiles(t: ExecutionContext, config: string, credentials = ''): Promise<void> {
  const directory = await temporaryDirectory(t);
  for (const [variable, name, content] of [
    ['AWS_CONFIG_FILE', 'config', config],
    ['AWS_SHARED_CREDENTIALS_FILE', 'credentials', credentials],
  ] as const) {
    const before = process.env[variable];
    process.env[variable] = path.join(directory, name);
    await writeFile(path.join(directory, name), content);
    t.teardown(() => {
      if (before === undefined) Reflect.deleteProperty(process.env, variable);
      else process.env[variable] = before;
    });
  }
}

const config = `
[default]
region = from-default
endpoint_url = https://default.example.org
[profile osiris]
region = from-profile
endpoint_url = https://profile.example.org
ca_bundle = /profile/ca.pem
services = ceph
[services ceph]
s3 =
  endpoint_url = https://services.example.org
`;

test.serial('without files and environment, nothing is set', async (t) => {
  await writeAwsFiles(t, '');
  t.deepEqual(await readAwsSettings(undefined, {}), {
    profile: 'default',
    endpoint: undefined,
    region: undefined,
    caBundle: undefined,
    hasCredentialProcess: false,
  });
});

test.serial('a file that others may write is not believed', async (t) => {
  for (const variable of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) {
    await writeAwsFiles(t, config);
    const file = process.env[variable] ?? '';
    await chmod(file, 0o646);
    const error = await t.throwsAsync(readAwsSettings(undefined, {}), { instanceOf: StoreError });
    t.is(
      error.message,
      `${file} has mode 0646: others than its owner could change it; run: chmod go-w ${file}`,
    );
  }
});

test.serial('the default profile is read, and a named one in its place', async (t) => {
  await writeAwsFiles(t, config);
  t.like(await readAwsSettings(undefined, {}), {
    region: 'from-default',
    endpoint: 'https://default.example.org',
  });
  const osiris = {
    profile: 'osiris',
    region: 'from-profile',
    endpoint: 'https://services.example.org',
    caBundle: '/profile/ca.pem',
    hasCredentialProcess: false,
  };
  t.deepEqual(await readAwsSettings('osiris', {}), osiris);
  t.deepEqual(await readAwsSettings(undefined, { AWS_PROFILE: 'osiris' }), osiris);
});

test.serial('the environment comes before the files', async (t) => {
  await writeAwsFiles(t, config);
  const environment: Record<string, string> = {
    AWS_PROFILE: 'osiris',
    AWS_DEFAULT_REGION: 'default-region',
    AWS_CA_BUNDLE: '/env/ca.pem',
  };
  t.like(await readAwsSettings(undefined, environment), {
    region: 'default-region',
    caBundle: '/env/ca.pem',
  });
  environment['AWS_REGION'] = 'region';
  environment['AWS_ENDPOINT_URL'] = 'https://all.example.org';
  t.like(await readAwsSettings(undefined, environment), {
    region: 'region',
    endpoint: 'https://all.example.org',
  });
  environment['AWS_ENDPOINT_URL_S3'] = 'https://s3.example.org';
  t.is((await readAwsSettings(undefined, environment)).endpoint, 'https://s3.example.org');
  environment['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'] = 'true';
  t.is((await readAwsSettings(undefined, environment)).endpoint, undefined);
});

test.serial('a profile may be in the credentials file only', async (t) => {
  await writeAwsFiles(
    t,
    '',
    '[osiris]\naws_access_key_id = A\nendpoint_url = https://credentials.example.org\n',
  );
  t.is((await readAwsSettings('osiris', {})).endpoint, 'https://credentials.example.org');
});

test.serial('a named profile that is nowhere is refused', async (t) => {
  await writeAwsFiles(t, config);
  for (const [option, environment] of [
    ['missing', {}],
    [undefined, { AWS_PROFILE: 'missing' }],
  ] as const) {
    const error = await t.throwsAsync(readAwsSettings(option, environment), {
      instanceOf: StoreError,
      message: 'the profile "missing" is neither in ~/.aws/config nor in ~/.aws/credentials',
    });
    t.is(error.code, 'AccessDenied');
  }
});
