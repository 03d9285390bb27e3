/** The logger of a serving process: JSON lines by pino, to a file that is kept small or to stderr, without secrets. */
import { fstatSync, openSync, renameSync } from 'node:fs';
import { pino, destination as pinoDestination, type DestinationStream } from 'pino';
import { FsError, StoreError } from '../errors.js';
import type { Log } from '../log.js';
import { withoutSteering } from '../printable.js';
import type { LogLevel } from '../settings/setting-values.js';

/** A log file that has this size is renamed to `FILE.1`, and a new one begins. */
export const maxLogFileBytes = 10 * 2 ** 20;

const stderrDescriptor = 2;
/** While the disk is full, at most this much text waits. Further lines are dropped. */
const maxUnwrittenCharacters = 64 * 1024;
/** How deep causes of causes are followed. Ends cycles too. */
const maxCauses = 8;

/** Fields in which a secret could end up by mistake, at any of the first three levels. */
const secretNames = [
  'customerKey',
  'customerKeyBase64',
  'SSECustomerKey',
  'CopySourceSSECustomerKey',
  'secretAccessKey',
  'sessionToken',
  'authorization',
  'Authorization',
  '["x-amz-server-side-encryption-customer-key"]',
  '["x-amz-copy-source-server-side-encryption-customer-key"]',
  '["x-amz-security-token"]',
];

export interface Logging {
  readonly log: Log;
}

/** `file` undefined: stderr. Throws if the file cannot be opened. */
export function startLogging(options: {
  readonly level: LogLevel;
  readonly file?: string | undefined;
}): Logging {
  const target = options.file === undefined ? openDestination(stderrDescriptor) : new LogFile(options.file);
  const log = pino(
    {
      level: options.level,
      formatters: { log: describeErrors },
      serializers: { err: (value: unknown) => value },
      redact: { paths: redactedPaths(), censor: '[redacted]' },
    },
    // Root's terminal may show this. JSON means the same afterwards.
    { write: (line: string) => target.write(withoutSteering(line)) },
  );
  return { log };
}

/** Opens a log file to append to, made for its owner alone. Throws the system's error. */
export function openLogFile(file: string): number {
  return openSync(file, 'a', 0o600);
}

/**
 * Writes each line at once, so that nothing is missing when the process ends. (pino's own synchronous writing never returns while the
 * disk is full.) A line that cannot be written is kept and tried again with the next one, up to a limit: a failing log must not
 * harm the mount.
 */
function openDestination(descriptor: number): ReturnType<typeof pinoDestination> {
  const destination = pinoDestination({ dest: descriptor, sync: true, maxLength: maxUnwrittenCharacters });
  destination.on('error', () => undefined);
  return destination;
}

class LogFile implements DestinationStream {
  readonly #file: string;
  #destination: ReturnType<typeof pinoDestination>;
  /** The size of the current file. */
  #bytes: number;

  constructor(file: string) {
    this.#file = file;
    const descriptor = openLogFile(file);
    this.#bytes = fstatSync(descriptor).size;
    this.#destination = openDestination(descriptor);
    if (this.#bytes >= maxLogFileBytes) this.#beginAnew();
  }

  write(line: string): void {
    this.#destination.write(line);
    this.#bytes += Buffer.byteLength(line);
    if (this.#bytes >= maxLogFileBytes) this.#beginAnew();
  }

  /** Never throws: that would end the mount. */
  #beginAnew(): void {
    this.#bytes = 0;
    try {
      renameSync(this.#file, `${this.#file}.1`);
      const old = this.#destination;
      this.#destination = openDestination(openLogFile(this.#file));
      old.destroy();
    } catch {
      // The directory is gone or not writable: go on in the old file, and try again after as many bytes.
    }
  }
}

function redactedPaths(): string[] {
  return secretNames.flatMap((name) => {
    const below = name.startsWith('[') ? name : `.${name}`;
    return [name, `*${below}`, `*.*${below}`];
  });
}

/**
 * Replaces each error among the fields by its plain parts. Errors of the SDK carry requests and replies with all
 * their headers as properties, which pino's own serializer would write out.
 */
function describeErrors(fields: Record<string, unknown>): Record<string, unknown> {
  const described: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    described[name] = value instanceof Error ? describeError(value, 0) : value;
  }
  return described;
}

function describeError(error: Error, depth: number, effect?: Error): object {
  const { name, message, stack, cause } = error;
  // The stack of these says nothing more. The cause of a StoreError is what the server or the network said.
  const isThrownOnPurpose =
    error instanceof FsError || error instanceof StoreError || effect instanceof StoreError;
  return {
    name,
    ...('code' in error &&
      (typeof error.code === 'string' || typeof error.code === 'number') && { code: error.code }),
    message,
    ...(isThrownOnPurpose ? {} : { stack }),
    ...(cause instanceof Error && depth < maxCauses && { cause: describeError(cause, depth + 1, error) }),
  };
}
