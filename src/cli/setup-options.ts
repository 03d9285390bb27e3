/** What `osirisfs setup` can be told. Apart from the command itself, which loads layers that take their time. */
import type { Argv } from 'yargs';
import type { KnownOptions } from './command-line.js';

export const setupUsage = 'setup';
export const setupDescription =
  'ask for server, credentials, bucket and key, check them, and write them down';

export const siteNames = ['auto', 'um', 'msu', 'wsu', 'vai'] as const;
export const defaultProfile = 'osirisfs';

const texts = {
  site: `${siteNames.join('|')}: a gateway of OSiRIS; auto is the first that can be reached`,
  endpoint: 'URL: another S3 server, as https://host:port',
  region: 'NAME: the region to sign for. Default: us-east-1',
  'ca-bundle': 'FILE: PEM certificates to trust beside those of Node',
  'access-key': 'TEXT: the access key. Default: AWS_ACCESS_KEY_ID',
  'secret-file': 'FILE: holds the secret key; - is standard input. Default: AWS_SECRET_ACCESS_KEY',
  organisation: 'NAME: your virtual organisation (COU) at OSiRIS, with which names of buckets begin',
  bucket: 'NAME: the bucket; made if it is missing',
  'key-file': 'FILE: holds the customer key; made if it is missing',
  profile: `NAME: of the profile to write. Default: ${defaultProfile}`,
} as const;

export const setupOptions: KnownOptions = { values: Object.keys(texts), switches: ['yes'] };

export function describeSetupOptions(yargs: Argv): Argv {
  for (const [name, describe] of Object.entries(texts)) {
    yargs.option(name, { type: 'string', requiresArg: true, describe });
  }
  return yargs
    .option('yes', {
      type: 'boolean',
      describe: 'make bucket and key file if they are missing, and replace what an earlier setup wrote',
    })
    .example('$0 setup', 'asks for everything')
    .example(
      '$0 setup --site auto --access-key ID --secret-file s --organisation Lab --bucket lab-data --key-file ~/k --yes',
      'asks nothing',
    )
    .epilogue(
      [
        'Each answer is checked with the server at once. Then the profile is written to ~/.aws/credentials and',
        '~/.aws/config, and the settings to ~/.config/osirisfs/config.toml; what else is in those files stays.',
        'endpoint, region, ca-bundle, key-file and profile are taken from OSIRISFS_* variables as well.',
        'The secret key is never an argument: others on this machine can read those.',
      ].join('\n'),
    );
}
