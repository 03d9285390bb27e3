/** The Range of a GET and of a copied part. Pure. */
import { S3Error } from './s3-error.js';

export interface RequestedRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * Undefined if the header asks for the whole object. Malformed headers and several ranges are ignored too. Throws
 * `InvalidRange` if the range starts past the end.
 */
export function parseRange(header: string | undefined, size: number): RequestedRange | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const length = Math.min(Number(last), size);
    if (length === 0) throw notSatisfiable(size);
    return { offset: size - length, length };
  }
  const offset = Number(first);
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  if (last !== '' && Number(last) < offset) return undefined;
  if (offset >= size) throw notSatisfiable(size);
  return { offset, length: end - offset };
}

/** Undefined without a header. Throws an `S3Error` unless it is `bytes=FIRST-LAST` and lies in the object. */
export function parseCopyRange(header: string | undefined, size: number): RequestedRange | undefined {
  if (header === undefined) return undefined;
  const [, first, last] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(header) ?? [];
  if (first === undefined || last === undefined || Number(last) < Number(first)) {
    throw new S3Error('InvalidArgument', 'x-amz-copy-source-range must be of the form bytes=FIRST-LAST.');
  }
  if (Number(last) >= size) throw notSatisfiable(size);
  return { offset: Number(first), length: Number(last) - Number(first) + 1 };
}

function notSatisfiable(size: number): S3Error {
  return new S3Error('InvalidRange', `The range is not within the ${size} bytes of the object.`);
}
