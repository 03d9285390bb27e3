/** What `osirisfs keygen` can be told. */
import type { Command } from '../command-line.js';

export const keygenCommand: Command = {
  usage: 'keygen <file>',
  summary: 'make a customer key in a new FILE that only you can read',
  describe: (yargs) =>
    yargs
      .positional('file', {
        type: 'string',
        demandOption: true,
        describe: 'must not exist; a key is never overwritten',
      })
      .option('text', {
        type: 'boolean',
        describe:
          '32 characters of text, for programs that take the content of the file as the key, as the OSiRIS boto example does; they carry 192 random bits',
        defaultDescription: '256 random bits as 44 characters of base64',
      })
      .example('$0 keygen ~/data.key', 'and tell its fingerprint')
      .epilogue(
        [
          'The server keeps no copy of the key. Whoever has it, and access to the bucket, can read the data;',
          'without it nobody can, not even you: keep a copy in a safe place.',
        ].join('\n'),
      ),
  run: async (parsed) => (await import('./run-keygen.js')).runKeygen(parsed),
};
