/** `osirisfs keygen`: makes a customer key, and says what it means to lose it. */
import type { Argv } from 'yargs';
import { generateCustomerKeyFile } from '../../keys/customer-key-file.js';
import { limitCoreDumps } from '../../native/limit-core-dumps.js';
import { parsePath } from '../../setting-values.js';
import { positionalOf, switchOf, type KnownOptions, type ParsedArguments } from '../command-line.js';
import { announce } from '../terminal.js';

export const keygenUsage = 'keygen <file>';
export const keygenDescription = 'make a customer key in a new FILE that only you can read';

export const keygenOptions: KnownOptions = { values: [], switches: ['text'] };

export function describeKeygenOptions(yargs: Argv): Argv {
  return yargs
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
    );
}

/** Resolves with the exit code. Rejects with a `KeyFileError`. */
export async function runKeygen(parsed: ParsedArguments): Promise<number> {
  limitCoreDumps();
  const file = parsePath(positionalOf(parsed, 'file'));
  const key = await generateCustomerKeyFile(file, switchOf(parsed, 'text') ? 'text' : 'base64');
  announce(`customer key ${key.fingerprint} (base64 MD5, as S3 shows it) is in ${file}`);
  announce(
    'Keep a copy in a safe place: if the key is lost, the data encrypted under it is lost too, for everybody.',
  );
  return 0;
}
