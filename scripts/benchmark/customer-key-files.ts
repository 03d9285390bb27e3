/** The customer key of a run, in the forms that the programs take. */
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

export interface CustomerKeyFiles {
  /** 32 characters of text: rclone 1.60 takes no other. */
  readonly keystring: string;
  /** Base64, as S3's headers have them. */
  readonly base64: string;
  readonly md5: string;
  /** Base64 with a newline, readable by its owner only: what osirisfs and s3fs take. */
  readonly file: string;
}

export async function makeCustomerKey(directory: string): Promise<CustomerKeyFiles> {
  const keystring = randomBytes(24).toString('base64url');
  const base64 = Buffer.from(keystring).toString('base64');
  const file = path.join(directory, 'customer.key');
  await writeFile(file, `${base64}\n`, { mode: 0o600 });
  return { keystring, base64, md5: createHash('md5').update(keystring).digest('base64'), file };
}
