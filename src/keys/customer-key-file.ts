/**
 * Reads and makes the file that holds a customer key. Everything is checked on the opened descriptor, so what was checked is
 * what is read. `keystring.ts` knows what the bytes mean.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { open, readlink, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CustomerKey, customerKeyBytes } from './customer-key.js';
import { systemErrorCode } from '../errors.js';
import { isOwnFile, shownMode } from '../file-access.js';
import { KeyRing } from './key-ring.js';
import { parseKeystring, type Keystring } from './keystring.js';

/** More than any form of keystring needs. */
const maxFileBytes = 4096;
/** How long to wait for the writer of a named pipe. */
const defaultWriterTimeoutMs = 60_000;
const pipePollMs = 20;
/** S_IRGRP | S_IWGRP | S_IXGRP and the same for others. */
const groupAndOthersMask = 0o077;
/** 64 characters, so that each carries exactly six bits. */
const textAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

type KeyFileErrorCode =
  | 'NotFound'
  | 'NotReadable' // permission, or the system failed to read it
  | 'NotAFile' // a directory, a device, ...
  | 'TooOpen' // group or others have permissions
  | 'NotOurs' // another user owns it
  | 'NothingCame' // no program writes to the pipe
  | 'NotAKeystring'
  | 'Exists' // keygen never overwrites
  | 'NotWritable';

/** A key file that cannot be used. The message says in one line what is wrong and what to do, and never shows content. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
  readonly code: KeyFileErrorCode;

  constructor(code: KeyFileErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

interface KeyFileOptions {
  /** How long to wait for the writer of a named pipe. */
  readonly writerTimeoutMs?: number;
}

/**
 * Reads the customer key from a regular file that only its owner may read, and that is this user's, or from a pipe (`/dev/fd/63` of a
 * shell's `<(command)`). Rejects with a `KeyFileError`.
 */
export async function readCustomerKeyFile(
  file: string,
  { writerTimeoutMs = defaultWriterTimeoutMs }: KeyFileOptions = {},
): Promise<CustomerKey> {
  const handle = await openForReading(file);
  try {
    const stats = await handle.stat();
    const isAnonymous = await isAnonymousPipe(handle, stats);
    if (!isAnonymous) checkAccess(file, stats);
    // An anonymous pipe has its writer from the start.
    const waitsForWriter = stats.isFIFO() && !isAnonymous;
    return keyOf(file, await readAll(file, handle, waitsForWriter ? writerTimeoutMs : undefined));
  } finally {
    await handle.close();
  }
}

/** Reads all the files, at least one, the first of which has the key that writes. Rejects as `readCustomerKeyFile`. */
export async function readKeyRing(files: readonly string[]): Promise<KeyRing> {
  const [first, ...others] = await Promise.all(files.map((file) => readCustomerKeyFile(file)));
  if (first === undefined) throw new RangeError('a key ring has at least one key');
  return new KeyRing(first, others);
}

/** `base64`: 256 random bits. `text`: 32 characters of 6 random bits, for programs that take the file as it is. */
type GeneratedForm = 'base64' | 'text';

/**
 * Makes a new key file with mode 0600 and resolves with its key when the file is safe on the disk. Never overwrites:
 * an existing file may hold the only copy of a key.
 */
export async function generateCustomerKeyFile(file: string, form: GeneratedForm): Promise<CustomerKey> {
  const { key, content } = generate(form);
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  } catch (error) {
    throw systemErrorCode(error) === 'EEXIST'
      ? new KeyFileError('Exists', `${file} exists and is never overwritten; choose another name`, {
          cause: error,
        })
      : new KeyFileError('NotWritable', `cannot make the key file ${file}: ${systemReason(error)}`, {
          cause: error,
        });
  }
  try {
    await handle.chmod(0o600); // the umask may have taken bits away
    await handle.writeFile(content);
    await handle.sync();
  } catch (error) {
    await rm(file, { force: true }); // half a key is useless, and would block the next try
    throw new KeyFileError('NotWritable', `cannot write the key file ${file}: ${systemReason(error)}`, {
      cause: error,
    });
  } finally {
    await handle.close();
  }
  await flushDirectory(path.dirname(file));
  return key;
}

function generate(form: GeneratedForm): { key: CustomerKey; content: string } {
  if (form === 'base64') {
    const key = new CustomerKey(randomBytes(customerKeyBytes));
    return { key, content: `${key.toBase64()}\n` };
  }
  let text = '';
  while (text.length < customerKeyBytes) text += textAlphabet.charAt(randomInt(textAlphabet.length));
  // No newline: programs that take the file as it is would count it.
  return { key: new CustomerKey(Buffer.from(text, 'ascii')), content: text };
}

async function openForReading(file: string): Promise<FileHandle> {
  try {
    // Does not wait for the writer of a pipe: while it waits, no signal could end the process.
    return await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') {
      throw new KeyFileError('NotFound', `the key file ${file} does not exist`, { cause: error });
    }
    throw new KeyFileError('NotReadable', `cannot read the key file ${file}: ${systemReason(error)}`, {
      cause: error,
    });
  }
}

/** No other process can open such a pipe, unlike one that has a name. */
async function isAnonymousPipe(handle: FileHandle, stats: Stats): Promise<boolean> {
  if (!stats.isFIFO() && !stats.isSocket()) return false;
  return /^(pipe|socket):\[/.test(await readlink(`/proc/self/fd/${handle.fd}`));
}

function checkAccess(file: string, stats: Stats): void {
  if (!stats.isFile() && !stats.isFIFO()) {
    const kind = stats.isDirectory() ? 'a directory' : 'a device';
    throw new KeyFileError('NotAFile', `the key file ${file} is ${kind}, not a file`);
  }
  if ((stats.mode & groupAndOthersMask) !== 0) {
    throw new KeyFileError(
      'TooOpen',
      `the key file ${file} has mode ${shownMode(stats)}: others than its owner have access; run: chmod 600 ${file}`,
    );
  }
  if (!isOwnFile(stats, process.env)) {
    throw new KeyFileError(
      'NotOurs',
      `the key file ${file} belongs to user ${stats.uid}, who can read and replace it; use a copy that is yours`,
    );
  }
}

/** `writerTimeoutMs`: how long to wait for the writer of a pipe that may have none yet. */
async function readAll(
  file: string,
  handle: FileHandle,
  writerTimeoutMs: number | undefined,
): Promise<Buffer> {
  const buffer = Buffer.alloc(maxFileBytes + 1);
  const startMs = performance.now();
  let length = 0;
  try {
    while (length < buffer.length) {
      const bytesRead = await readSome(handle, buffer, length);
      const hasNoWriter = bytesRead === 0 && length === 0 && writerTimeoutMs !== undefined;
      if (bytesRead === 'nothing yet' || hasNoWriter) {
        if (writerTimeoutMs !== undefined && performance.now() - startMs > writerTimeoutMs)
          throw nothingCame(file, writerTimeoutMs);
        await delay(pipePollMs);
        continue;
      }
      if (bytesRead === 0) break;
      length += bytesRead;
    }
  } catch (error) {
    if (error instanceof KeyFileError) throw error;
    throw new KeyFileError('NotReadable', `cannot read the key file ${file}: ${systemReason(error)}`, {
      cause: error,
    });
  }
  return buffer.subarray(0, length);
}

async function readSome(handle: FileHandle, buffer: Buffer, at: number): Promise<number | 'nothing yet'> {
  try {
    return (await handle.read(buffer, at, buffer.length - at, null)).bytesRead;
  } catch (error) {
    if (systemErrorCode(error) === 'EAGAIN') return 'nothing yet';
    throw error;
  }
}

function nothingCame(file: string, timeoutMs: number): KeyFileError {
  return new KeyFileError(
    'NothingCame',
    `the key file ${file} is a pipe, and nobody has written a key to it for ${timeoutMs / 1000} s`,
  );
}

function keyOf(file: string, content: Buffer): CustomerKey {
  const keystring: Keystring =
    content.length > maxFileBytes
      ? { form: 'none', found: `more than ${maxFileBytes} bytes` }
      : parseKeystring(content);
  content.fill(0);
  if (keystring.form === 'none') {
    throw new KeyFileError(
      'NotAKeystring',
      `the key file ${file} does not hold a 32-byte key: found ${keystring.found}; expected 32 bytes, 32 characters, 44 of base64 or 64 of hex`,
    );
  }
  const key = new CustomerKey(keystring.bytes);
  keystring.bytes.fill(0);
  return key;
}

/** The new name must survive a crash as the content does. */
async function flushDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** `EACCES: permission denied`, without the path that Node adds. */
function systemReason(error: unknown): string {
  return error instanceof Error ? error.message.replace(/, \w+.*$/s, '') : String(error);
}
