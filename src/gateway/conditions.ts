/** The conditional headers of HTTP (RFC 9110, 13), as S3 has them. */
import type { Flavor } from './flavor.js';
import { unquoted } from './gateway-reply.js';
import { headerOf, type S3Request } from './request.js';
import { S3Error } from './s3-error.js';
import type { ObjectRecord } from './storage/object-record.js';

/** For GET and HEAD. Throws `NotModified` or `PreconditionFailed`. */
export function checkReadConditions(request: S3Request, record: ObjectRecord): void {
  const failed = failedCondition(request, '', record);
  if (failed === 'if-none-match' || failed === 'if-modified-since')
    throw new S3Error('NotModified', 'Not modified');
  if (failed !== undefined) throw preconditionFailed(failed);
}

/** For the source of a copy. Throws `PreconditionFailed`. */
export function checkCopyConditions(request: S3Request, record: ObjectRecord): void {
  const failed = failedCondition(request, 'x-amz-copy-source-', record);
  if (failed !== undefined) throw preconditionFailed(failed);
}

/** For PUT. Throws `PreconditionFailed`, or `NoSuchKey` as AWS does. */
export function checkWriteConditions(
  request: S3Request,
  flavor: Flavor,
  current: ObjectRecord | undefined,
): void {
  const ifMatch = headerOf(request, 'if-match');
  const ifNoneMatch = headerOf(request, 'if-none-match');
  if (ifMatch !== undefined) {
    if (current === undefined) {
      throw flavor.unquotesIfMatchOfPuts
        ? new S3Error('NoSuchKey', 'There is no object that If-Match could be about.')
        : preconditionFailed('if-match');
    }
    const wanted = flavor.unquotesIfMatchOfPuts ? unquoted(ifMatch) : ifMatch;
    if (wanted !== '*' && wanted !== current.etag) throw preconditionFailed('if-match');
  }
  if (ifNoneMatch !== undefined && current !== undefined) {
    if (ifNoneMatch === '*' || unquoted(ifNoneMatch) === current.etag)
      throw preconditionFailed('if-none-match');
  }
}

/** For completions and deletions, where AWS honours conditions and RGW ignores them. */
export function checkLateConditions(
  request: S3Request,
  flavor: Flavor,
  current: ObjectRecord | undefined,
): void {
  if (flavor.honoursLateConditions) checkWriteConditions(request, flavor, current);
}

function failedCondition(request: S3Request, prefix: string, record: ObjectRecord): string | undefined {
  const header = (name: string) => headerOf(request, `${prefix}${name}`);
  const [ifMatch, ifNoneMatch] = [header('if-match'), header('if-none-match')];
  if (ifMatch !== undefined && !isMatch(ifMatch, record)) return 'if-match';
  if (ifNoneMatch !== undefined && isMatch(ifNoneMatch, record)) return 'if-none-match';
  // HTTP knows whole seconds.
  const modifiedMs = Math.floor(record.modifiedMs / 1000) * 1000;
  const [unmodifiedMs, sinceMs] = [
    Date.parse(header('if-unmodified-since') ?? ''),
    Date.parse(header('if-modified-since') ?? ''),
  ];
  if (ifMatch === undefined && modifiedMs > unmodifiedMs) return 'if-unmodified-since';
  if (ifNoneMatch === undefined && modifiedMs <= sinceMs) return 'if-modified-since';
  return undefined;
}

function isMatch(header: string, { etag }: ObjectRecord): boolean {
  return header.split(',').some((candidate) => ['*', etag].includes(unquoted(candidate.trim())));
}

function preconditionFailed(name: string): S3Error {
  return new S3Error('PreconditionFailed', `The condition of ${name} did not hold.`);
}
