/**
 * The seam below the file system: what `vfs` and `cache` ask of a store of encrypted objects. `src/s3` implements
 * it; retry, limits and metrics are wrappers with this same interface. Every method rejects with a `StoreError`
 * and nothing else; an aborted `signal` rejects with code `Aborted`.
 */
import type { StoreError } from './errors.js';
import type { PieceMemory } from './piece-memory.js';

/** User metadata: the part of each name after `x-amz-meta-`, lower case. Each character of a value is one byte. */
export type Metadata = Readonly<Record<string, string>>;

/** Headers of other programs that are stored with an object and come back with it. Each character is one byte. */
export const keptHeaderNames = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
  'x-amz-storage-class',
  'x-amz-website-redirect-location',
] as const;

export type KeptHeaders = Readonly<Partial<Record<(typeof keptHeaderNames)[number], string>>>;

/**
 * One object as a listing shows it. `size` is the plaintext size in bytes. `lastModifiedMs` is in milliseconds on Ceph, and in whole
 * seconds on AWS, as HEAD and GET tell it everywhere.
 */
export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly lastModifiedMs: number;
}

/** One object as HEAD and GET show it. */
export interface ObjectInfo extends ListedObject {
  readonly metadata: Metadata;
  readonly contentType: string | undefined;
  /** Absent if there are none. */
  readonly kept?: KeptHeaders;
  /** Whether it has tags. Absent: it has not. */
  readonly hasTags?: boolean;
  /** False if the object is stored without SSE-C. */
  readonly isEncrypted: boolean;
  /** When the server answered, by its own clock and in whole seconds, as `lastModifiedMs` is here; absent if it did not say. */
  readonly toldAtMs?: number;
  /** The fingerprint of the customer key that decrypts it, where a store with several keys says so. */
  readonly keyFingerprint?: string;
  /** When the last byte was written here, for an object without a time of its own. Stores do not set it. */
  readonly writtenAtNs?: bigint;
}

export interface ListRequest {
  readonly prefix: string;
  /** Keys that contain this after the prefix are rolled up into `prefixes`. Only '/' is used. */
  readonly delimiter?: '/';
  /** From the previous page's `continuationToken`. */
  readonly continuationToken?: string;
  /** 1 to 1,000; default 1,000. */
  readonly maxKeys?: number;
}

export interface ListPage {
  /** In the order of the UTF-8 bytes of their keys. */
  readonly objects: readonly ListedObject[];
  /** Common prefixes, each ending in the delimiter. */
  readonly prefixes: readonly string[];
  /** Undefined on the last page. */
  readonly continuationToken: string | undefined;
}

/** Each request says how much it takes at most: other clients may have written objects of any size. */
export type GetRequest = GetOptions &
  (
    | {
        /** It may reach past the end: the reply is then shorter. */
        readonly range: { readonly offset: number; readonly length: number };
        readonly maxBytes?: undefined;
      }
    | {
        /**
         * Without a range the whole object is read. Fails if it has more bytes than this: with `EntityTooLarge`, or with
         * `CorruptReply` where `ifMatch` says that it cannot have.
         */
        readonly maxBytes: number;
        readonly range?: undefined;
      }
  );

interface GetOptions {
  readonly key: string;
  /** Fails with `PreconditionFailed` unless the object still has this ETag. */
  readonly ifMatch?: string;
  /** Where the bytes go. Default: all in one piece. */
  readonly memory?: PieceMemory;
}

/** The most bytes that the reply may have. Throws a RangeError for a request that does not say it, which types let through. */
export function mostBytesOf({ range, maxBytes }: GetRequest): number {
  const most: number | undefined = range?.length ?? maxBytes;
  if (most === undefined) throw new RangeError('a GET must say the most that it takes');
  return most;
}

export interface GetReply {
  /** `size`: of the whole object. */
  readonly info: ObjectInfo;
  /**
   * The bytes asked for, decrypted by the server, and owned by the caller: one piece, or as many as the request's `memory` makes of
   * them. None if there are no bytes.
   */
  readonly pieces: readonly Uint8Array[];
}

/** The bytes of all pieces. Copies them only if there are several. */
export function joinPieces(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces;
  return only !== undefined && pieces.length === 1 ? only : Buffer.concat(pieces);
}

/** What is stored with an object beside its bytes. */
export interface ObjectHeaders {
  readonly metadata: Metadata;
  readonly contentType?: string;
  readonly kept?: KeptHeaders;
  /**
   * The key whose current tags this object gets. If they cannot be read, or may not be written, the request rejects.
   */
  readonly tagsOf?: string;
}

/**
 * Which state of the key a write may replace: `ifMatch` only this ETag, `ifNoneMatch` only nothing at all.
 * Servers that ignore the condition on multipart completion are asked by HEAD right before it.
 */
export interface WriteCondition {
  readonly ifMatch?: string;
  readonly ifNoneMatch?: '*';
}

/** Content that is put together while it is sent, because it may be larger than memory. */
export interface StreamedBody {
  readonly length: number;
  /** Base64, for the server to compare; left out where all would have to be fetched twice to know it. */
  readonly md5?: string;
  /** Whether the pieces are fetched from the store, which takes requests beside the one that sends them. */
  readonly needsRequests: boolean;
  /** From the beginning, at each call: a request may be repeated. Pieces do not change any more. Rejects with a StoreError or FsError. */
  pieces(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** A list of pieces, so that callers need not join them. */
export type PutBody = readonly Uint8Array[] | StreamedBody;

/** What the server says of an object just written. `lastModifiedMs` is not among it: ask HEAD. */
export interface WriteReply {
  readonly etag: string;
}

/** A whole object in one request, of at most `maxPartSize`. */
export interface PutRequest {
  readonly key: string;
  readonly body: PutBody;
  readonly headers: ObjectHeaders;
  readonly condition: WriteCondition;
}

export interface CreateUploadRequest {
  readonly key: string;
  readonly headers: ObjectHeaders;
}

/** A multipart upload that has begun. */
export interface UploadTarget {
  readonly key: string;
  readonly uploadId: string;
}

export interface UploadPartRequest extends UploadTarget {
  /** 1 to 10,000. */
  readonly partNumber: number;
  readonly body: PutBody;
}

export interface CopyPartRequest extends UploadTarget {
  /** 1 to 10,000. */
  readonly partNumber: number;
  readonly source: CopySource;
}

export interface CompleteUploadRequest extends UploadTarget {
  /** All that were uploaded, at least one, in ascending order of part number. Ceph refuses to leave one out. */
  readonly parts: readonly UploadedPart[];
  readonly condition: WriteCondition;
}

/** An object as another, or as itself with other headers. */
export interface CopyRequest {
  readonly source: ObjectInfo;
  readonly targetKey: string;
  readonly headers: ObjectHeaders;
  /** On what the target key holds. */
  readonly condition: WriteCondition;
}

export interface UploadedPart {
  /** 1 to 10,000. Numbers may have gaps; the object is put together in their order. */
  readonly partNumber: number;
  readonly etag: string;
}

export interface CopySource {
  readonly key: string;
  /** The version that must be copied; the copy fails with `PreconditionFailed` if the key holds another. */
  readonly ifMatch: string;
  /** Without a range the whole object is copied. The range must lie within the object. */
  readonly range?: { readonly offset: number; readonly length: number };
}

export interface DeleteFailure {
  readonly key: string;
  readonly error: StoreError;
}

/** Sizes in bytes that the server insists on. */
export interface StoreLimits {
  /** Every part but the last must have at least this size: 5 MiB. */
  readonly minPartSize: number;
  /** No part may be larger: 5 GiB. */
  readonly maxPartSize: number;
  /** 10,000. */
  readonly maxParts: number;
  readonly maxObjectSize: number;
  /** UTF-8 bytes of a key: 1,024. */
  readonly maxKeyBytes: number;
  /** Bytes of all user metadata, names and values: 2,048 on AWS, more on RGW. */
  readonly maxMetadataBytes: number;
}

export interface ObjectStore {
  readonly limits: StoreLimits;

  list(request: ListRequest, signal: AbortSignal): Promise<ListPage>;

  /** Rejects with `NotFound`, `WrongCustomerKey`, `AccessDenied`, ... Shows unencrypted objects under every policy. */
  head(key: string, signal: AbortSignal): Promise<ObjectInfo>;

  get(request: GetRequest, signal: AbortSignal): Promise<GetReply>;

  /** Rejects with the error of `body` if that fails. */
  put(request: PutRequest, signal: AbortSignal): Promise<WriteReply>;

  /** Returns the upload's id. `AccessDenied` where a policy lets only whole objects pass: `put` may do. */
  createUpload(request: CreateUploadRequest, signal: AbortSignal): Promise<string>;

  /** Rejects with the error of `body` if that fails. */
  uploadPart(request: UploadPartRequest, signal: AbortSignal): Promise<UploadedPart>;

  /**
   * Copies a range of another object: on the server, or through the client if it is under another customer key or has a key
   * that servers misread.
   */
  uploadPartCopy(request: CopyPartRequest, signal: AbortSignal): Promise<UploadedPart>;

  completeUpload(request: CompleteUploadRequest, signal: AbortSignal): Promise<WriteReply>;

  /** Frees the parts. An upload that is gone already is no error. */
  abortUpload(upload: UploadTarget, signal: AbortSignal): Promise<void>;

  /**
   * Copies an object, also onto itself, replacing its headers, by the cheapest way that the server offers and that
   * leaves the copy encrypted: CopyObject, UploadPartCopy, or, where the server can do neither, through the client.
   * Resolves only when the copy is complete.
   */
  copy(request: CopyRequest, signal: AbortSignal): Promise<WriteReply>;

  /** Deleting a missing key is no error. */
  delete(key: string, signal: AbortSignal): Promise<void>;

  /** Any number of keys. Resolves with the keys that could not be deleted. */
  deleteMany(keys: readonly string[], signal: AbortSignal): Promise<readonly DeleteFailure[]>;
}
