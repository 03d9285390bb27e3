/** What `osirisfs setup` can be told. */
import { siteNames } from '../../s3/osiris-sites.js';
import type { Command } from '../command-line.js';

const defaultProfile = 'osirisfs';

interface SetupOption {
  readonly group: 'Server:' | 'Credentials:' | 'Bucket:' | 'Running:';
  readonly describe: string;
  /** What is used without a question if the option is missing. */
  readonly defaultDescription?: string;
}

const texts: Readonly<Record<string, SetupOption>> = {
  site: {
    group: 'Server:',
    describe: `${siteNames.join('|')}: a gateway of OSiRIS; auto is the first that can be reached`,
  },
  endpoint: { group: 'Server:', describe: 'URL: another S3 server, as https://host:port' },
  region: { group: 'Server:', describe: 'NAME: the region to sign for', defaultDescription: 'us-east-1' },
  'ca-bundle': { group: 'Server:', describe: 'FILE: PEM certificates to trust beside those of Node' },
  'access-key': {
    group: 'Credentials:',
    describe: 'TEXT: the access key',
    defaultDescription: 'AWS_ACCESS_KEY_ID',
  },
  'secret-file': {
    group: 'Credentials:',
    describe: 'FILE: holds the secret key; - is standard input',
    defaultDescription: 'AWS_SECRET_ACCESS_KEY',
  },
  profile: {
    group: 'Credentials:',
    describe: 'NAME: of the profile to write',
    defaultDescription: defaultProfile,
  },
  organisation: {
    group: 'Bucket:',
    describe: 'NAME: your virtual organisation (COU) at OSiRIS, with which names of buckets begin',
  },
  bucket: { group: 'Bucket:', describe: 'NAME: the bucket; made if it is missing' },
  'key-file': { group: 'Bucket:', describe: 'FILE: holds the customer key; made if it is missing' },
};

export const setupCommand: Command = {
  usage: 'setup',
  summary: 'ask for server, credentials, bucket and key, check them, and write them down',
  describe: (yargs) => {
    for (const [name, option] of Object.entries(texts)) {
      yargs.option(name, { type: 'string', requiresArg: true, ...option });
    }
    return yargs
      .option('yes', {
        type: 'boolean',
        group: 'Running:',
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
  },
  run: async (parsed) => (await import('./run-setup.js')).runSetup(parsed, defaultProfile),
};
