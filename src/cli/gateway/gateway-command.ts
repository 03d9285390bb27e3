/** What `osirisfs gateway` can be told. */
import { flavorNames } from '../../gateway/flavor.js';
import { logLevels } from '../../settings/setting-values.js';
import type { Command } from '../command-line.js';

const defaults = { listen: '127.0.0.1:8443', flavor: 'rgw', logLevel: 'warn' } as const;

export const gatewayCommand: Command = {
  usage: 'gateway <dir>',
  summary: 'run an S3 server with SSE-C over a local directory, for trying and testing',
  describe: (yargs) =>
    yargs
      .positional('dir', {
        type: 'string',
        demandOption: true,
        describe: 'where everything is kept; empty, missing, or what an earlier gateway left',
      })
      .option('listen', {
        type: 'string',
        requiresArg: true,
        describe: 'HOST:PORT: for https; port 0 is any that is free',
        defaultDescription: defaults.listen,
      })
      .option('listen-http', {
        type: 'string',
        requiresArg: true,
        describe: 'HOST:PORT: for plain http as well, where customer keys are refused',
        defaultDescription: 'none',
      })
      .option('flavor', {
        type: 'string',
        requiresArg: true,
        describe: `${flavorNames.join('|')}: whose rules and errors; rgw is Ceph 16`,
        defaultDescription: defaults.flavor,
      })
      .option('log-level', {
        type: 'string',
        requiresArg: true,
        describe: `${logLevels.join('|')}: how much is logged, to standard error`,
        defaultDescription: defaults.logLevel,
      })
      .option('print-env', {
        type: 'boolean',
        describe: 'only print what programs need to reach the gateway that runs in DIR, as lines for a shell',
      })
      .example('$0 gateway ~/s3', 'run it until Ctrl-C')
      .example('eval "$($0 gateway ~/s3 --print-env)"', 'in another terminal: lead AWS programs there')
      .epilogue(
        [
          'For trying and testing: one user, one machine, no redundancy. Objects that are sent with a customer key are',
          'stored encrypted (AES-256-GCM), others as they are. Names, sizes and metadata are stored in the clear.',
        ].join('\n'),
      ),
  run: async (parsed) => (await import('./run-gateway.js')).runGateway(parsed, defaults),
};
