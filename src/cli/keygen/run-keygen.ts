/** `osirisfs keygen`: makes a customer key, and says what it means to lose it. */
import { generateCustomerKeyFile } from '../../keys/customer-key-file.js';
import { limitCoreDumps } from '../../native/limit-core-dumps.js';
import { parsePath } from '../../settings/setting-values.js';
import { positionalOf, switchOf, type ParsedArguments } from '../command-line.js';
import { announce } from '../terminal.js';

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
