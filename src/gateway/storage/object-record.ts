/** What is stored about an object beside its bytes. On disk: a line of JSON, a line that authenticates it, and the tags. */
import type { CustomerKey } from '../../keys/customer-key.js';
import type { Segment } from './data-files.js';
import { authenticate, isAuthentic, recordKeyOf, type Protection } from './protection.js';
import { DamagedFileError } from './sealing.js';

export interface ObjectRecord {
  readonly bucket: string;
  readonly key: string;
  /** Plaintext bytes of all segments. */
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  readonly modifiedMs: number;
  /** By lower-case name: content-type and the like. */
  readonly headers: Readonly<Record<string, string>>;
  /** By lower-case name, without `x-amz-meta-`. Each character is one byte of the header. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly segments: readonly Segment[];
  /** Absent if the object is not encrypted; present, every segment has a salt. */
  readonly protection?: Protection;
}

/** A record with the code that authenticates it. */
export interface StoredRecord {
  readonly record: ObjectRecord;
  readonly text: string;
  readonly code: string;
  /** In the form of `x-amz-tagging`. Tags change without the customer key, so they are not authenticated. */
  readonly tags: string | undefined;
}

/** `recordKey` of the record's protection; undefined if it has none. */
export function serializeRecord(
  record: ObjectRecord,
  recordKey: Uint8Array | undefined,
  tags: string | undefined,
): string {
  const text = JSON.stringify(record);
  return linesOf(text, recordKey === undefined ? '' : authenticate(recordKey, text), tags);
}

/** The same record with other tags. */
export function serializeTags({ text, code }: StoredRecord, tags: string | undefined): string {
  return linesOf(text, code, tags);
}

function linesOf(text: string, code: string, tags: string | undefined): string {
  return `${text}\n${code}\n${tags === undefined ? '' : `${tags}\n`}`;
}

/** Throws a `DamagedFileError` if it is no record. Only the customer key can tell whether it is authentic. */
export function parseRecord(content: string): StoredRecord {
  const [text = '', code, tags] = content.split('\n');
  let record: ObjectRecord;
  try {
    record = JSON.parse(text) as ObjectRecord;
  } catch (cause) {
    throw new DamagedFileError('a record is not readable', { cause });
  }
  // Enough to tell a record from other files and from part of a record. The code guards against forgery.
  if (code === undefined || typeof record.key !== 'string' || !Array.isArray(record.segments)) {
    throw new DamagedFileError('a record is cut short');
  }
  return { record, text, code, tags: tags === '' ? undefined : tags };
}

/** Throws a `DamagedFileError` if the record was changed. `customerKey` must be the record's. */
export function checkAuthentic(stored: StoredRecord, customerKey: CustomerKey): void {
  const { protection } = stored.record;
  if (protection === undefined) return;
  if (!isAuthentic(recordKeyOf(protection, customerKey), stored.text, stored.code)) {
    throw new DamagedFileError('a record is not what was stored');
  }
}
