/** `osirisfs ls`: the objects of a bucket, whether they are encrypted and under which key of the ring. */
import type { AccessConfig } from '../../settings/config.js';
import type { StoreError } from '../../errors.js';
import type { ListedObject, ObjectStore } from '../../object-store.js';
import { printable } from '../../printable.js';
import { concernsAll, findEncryptionState, type EncryptionState } from '../../transfer/encryption-state.js';
import { listEntries, type ListingEntry } from '../../transfer/object-listing.js';
import { mapInOrder } from '../../concurrency/for-each-limited.js';
import { decodeTime } from '../../vfs/stored-attributes.js';
import { readAccessConfig, requireAnything } from '../bucket-options.js';
import { positionalOf, switchOf, type ParsedArguments } from '../command-line.js';
import { exitFailure } from '../explain-error.js';
import { complain } from '../terminal.js';
import { printFromBucket } from '../with-bucket.js';

/** Resolves with the exit code: 1 if the state of some object is unknown. */
export async function runList(parsed: ParsedArguments): Promise<number> {
  const config = await readAccessConfig(parsed, positionalOf(parsed, 'bucket'));
  const isJson = switchOf(parsed, 'json') ?? false;
  const isLong = isJson || (switchOf(parsed, 'long') ?? false);
  const isRecursive = switchOf(parsed, 'recursive') ?? false;
  return await printFromBucket(config, 0, async (store, output, signal) => {
    let exitCode = 0;
    let isEmpty = true;
    const entries = listEntries(store, config.prefix, { isRecursive }, signal);
    const rows = mapInOrder(entries, isLong ? 2 * config.maxConnections : 1, (entry) =>
      describeEntry(store, entry, isLong, signal),
    );
    for await (const row of rows) {
      if (row.kind === 'gone') continue;
      isEmpty = false;
      if (row.kind === 'failed') {
        exitCode = exitFailure;
        complain(row.message);
        continue;
      }
      const name = nameBelow(config, row.key);
      await output.write(isJson ? jsonLine(row) : textLine(row, name));
    }
    if (isEmpty) requireAnything(config);
    return exitCode;
  });
}

type Row =
  | { readonly kind: 'prefix'; readonly key: string }
  | { readonly kind: 'name'; readonly key: string }
  | { readonly kind: 'object'; readonly key: string; readonly object: ListedObject; readonly found: Known }
  | { readonly kind: 'gone' }
  | { readonly kind: 'failed'; readonly message: string };

type Known = Exclude<EncryptionState, { readonly state: 'gone' }>;

async function describeEntry(
  store: ObjectStore,
  entry: ListingEntry,
  isLong: boolean,
  signal: AbortSignal,
): Promise<Row> {
  if (entry.object === undefined) return { kind: 'prefix', key: entry.prefix };
  const { object } = entry;
  const { key } = object;
  if (!isLong) return { kind: 'name', key };
  try {
    const found = await findEncryptionState(store, key, signal);
    return found.state === 'gone' ? { kind: 'gone' } : { kind: 'object', key, object, found };
  } catch (error) {
    if (concernsAll(error)) throw error;
    return { kind: 'failed', message: (error as StoreError).message };
  }
}

/** The key without the prefix that the user gave. The object of the prefix itself has its whole key. */
function nameBelow({ prefix }: AccessConfig, key: string): string {
  return printable(key.startsWith(prefix) && key !== prefix ? key.slice(prefix.length) : key);
}

function textLine(row: Exclude<Row, { readonly kind: 'gone' | 'failed' }>, name: string): string {
  if (row.kind === 'name') return name;
  if (row.kind === 'prefix') return name;
  const { object, found } = row;
  const key = found.state === 'encrypted' ? found.fingerprint : found.state;
  const time = timeOf(object, found).toISOString().replace('T', ' ').slice(0, 19);
  return `${key.padEnd(fingerprintLength)}  ${String(object.size).padStart(sizeWidth)}  ${time}  ${name}`;
}

/** Base64 of 16 bytes. */
const fingerprintLength = 24;
/** Aligns sizes up to 10 TB. */
const sizeWidth = 13;

function jsonLine(row: Exclude<Row, { readonly kind: 'gone' | 'failed' }>): string {
  if (row.kind !== 'object') return JSON.stringify({ prefix: row.key });
  const { object, found } = row;
  return JSON.stringify({
    key: object.key,
    size: object.size,
    mtime: timeOf(object, found).toISOString(),
    etag: object.etag,
    encryption: found.state,
    ...(found.state === 'encrypted' && { fingerprint: found.fingerprint }),
  });
}

/** The file's own time if the object carries one. */
function timeOf(object: ListedObject, found: Known): Date {
  const stored = found.state === 'unknown-key' ? undefined : decodeTime(found.info.metadata['mtime']);
  const milliseconds = stored === undefined ? object.lastModifiedMs : Number(stored / 1_000_000n);
  // A Date holds 8.64e15 ms on each side of 1970; a stored time at most 9.2e12.
  return new Date(milliseconds);
}
