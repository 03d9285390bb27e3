/** Reads bucket, key and query from the line of a request, once. Path-style addresses only. */
import type { IncomingMessage } from 'node:http';
import { S3Error } from './s3-error.js';

export interface S3Request {
  readonly method: string;
  /** '' for the service itself. */
  readonly bucket: string;
  /** '' for the bucket itself. */
  readonly key: string;
  /** As it came, still percent-encoded. */
  readonly rawPath: string;
  /** Decoded, in the order in which they came. A name without `=` has the value ''. */
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly isSecure: boolean;
  readonly message: IncomingMessage;
  /** Call it before the body is read: it answers a client that asked whether to send the body. */
  readonly sendContinue: () => void;
}

/** Throws an `S3Error` if the address makes no sense. */
export function parseS3Request(
  message: IncomingMessage,
  isSecure: boolean,
  sendContinue: () => void,
): S3Request {
  const target = message.url ?? '/';
  if (!target.startsWith('/')) throw new S3Error('InvalidURI', 'The request target must be a path.');
  const queryAt = target.indexOf('?');
  const rawPath = queryAt === -1 ? target : target.slice(0, queryAt);
  const [, bucket = '', key = ''] = /^\/([^/]*)(?:\/(.*))?$/s.exec(rawPath) ?? [];
  return {
    method: message.method ?? '',
    bucket: decode(bucket),
    key: decode(key),
    rawPath,
    query: queryAt === -1 ? [] : parseQuery(target.slice(queryAt + 1)),
    isSecure,
    message,
    sendContinue,
  };
}

export function queryValue(request: S3Request, name: string): string | undefined {
  return request.query.find(([candidate]) => candidate === name)?.[1];
}

/** The value of a header without space around it. Not for headers of which Node makes a list. */
export function headerOf(request: S3Request, name: string): string | undefined {
  const value = request.message.headers[name];
  return typeof value === 'string' ? withoutOuterSpace(value) : undefined;
}

/**
 * For the value of a header, whose bytes are characters. `trim` would take A0 for a space, which ends many letters in UTF-8.
 */
export function withoutOuterSpace(value: string): string {
  return value.replaceAll(/^[ \t]+|[ \t]+$/g, '');
}

/** At most `maximum`. Undefined if there is none. Throws `InvalidArgument` unless it is a whole number. */
export function queryNumber(request: S3Request, name: string, maximum: number): number | undefined {
  const value = queryValue(request, name);
  if (value === undefined || value === '') return undefined;
  if (!/^\d{1,9}$/.test(value)) throw new S3Error('InvalidArgument', `${name} is not a whole number.`);
  return Math.min(Number(value), maximum);
}

function parseQuery(text: string): [string, string][] {
  return text
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const at = part.indexOf('=');
      const [name, value] = at === -1 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
      return [decode(name), decode(value)];
    });
}

/** Signers encode a space as %20 and a plus as %2B, but many clients send an unencoded plus for itself. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new S3Error('InvalidObjectName', 'The address is not percent-encoded UTF-8.', { cause });
  }
}
