/**
 * An object store that answers at once from memory, so that what is measured above it is osirisfs and the kernel: no
 * hashing, no network, no copying beyond what a store must do. It keeps no rules of S3 that the measured jobs do not need;
 * the tests have one that does.
 */
import { StoreError } from '../../src/errors.js';
import { ReceivedBody } from '../../src/http/received-body.js';
import type {
  CompleteUploadRequest,
  CopyPartRequest,
  CopyRequest,
  CreateUploadRequest,
  DeleteFailure,
  GetReply,
  GetRequest,
  ListPage,
  ListRequest,
  ListedObject,
  ObjectHeaders,
  ObjectInfo,
  ObjectStore,
  PutRequest,
  StoreLimits,
  UploadedPart,
  UploadPartRequest,
  UploadTarget,
  WriteReply,
} from '../../src/object-store.js';

interface StoredObject {
  readonly info: ObjectInfo;
  /** In the order of the parts that it was put together of. */
  readonly pieces: readonly Buffer[];
}

const mebibyte = 1024 * 1024;

export class InstantObjectStore implements ObjectStore {
  readonly limits: StoreLimits = {
    minPartSize: 5 * mebibyte,
    maxPartSize: 5 * 1024 * mebibyte,
    maxParts: 10_000,
    maxObjectSize: 5 * 1024 * 1024 * mebibyte,
    maxKeyBytes: 1024,
    maxMetadataBytes: 2048,
  };
  readonly #objects = new Map<string, StoredObject>();
  readonly #uploads = new Map<string, { headers: ObjectHeaders; parts: Map<number, Buffer> }>();
  /** Undefined after a key came or went. Keys are ASCII, whose order is that of their UTF-8. */
  #sortedKeys: string[] | undefined;
  #count = 0;

  list(request: ListRequest): Promise<ListPage> {
    const { prefix, delimiter, continuationToken, maxKeys = 1000 } = request;
    const keys = (this.#sortedKeys ??= [...this.#objects.keys()].sort());
    const objects: ListedObject[] = [];
    const prefixes: string[] = [];
    let last: string | undefined;
    for (let index = firstAtLeast(keys, continuationToken ?? prefix); index < keys.length; index += 1) {
      const key = keys[index] ?? '';
      if (!key.startsWith(prefix)) break;
      const cut = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
      const shown = cut < 0 ? key : key.slice(0, cut + 1);
      if (shown === last || (continuationToken !== undefined && shown <= continuationToken)) continue;
      if (objects.length + prefixes.length === maxKeys) {
        return Promise.resolve({ objects, prefixes, continuationToken: last });
      }
      last = shown;
      if (cut < 0) objects.push(this.#existing(key).info);
      else prefixes.push(shown);
    }
    return Promise.resolve({ objects, prefixes, continuationToken: undefined });
  }

  head(key: string): Promise<ObjectInfo> {
    return attempt(() => this.#existing(key).info);
  }

  get({ key, range, ifMatch, memory }: GetRequest): Promise<GetReply> {
    return attempt(() => {
      const { info, pieces } = this.#existing(key);
      if (ifMatch !== undefined && ifMatch !== info.etag) {
        throw new StoreError('PreconditionFailed', `get ${key}: the object was replaced`);
      }
      const { offset, length } = range ?? { offset: 0, length: info.size };
      if (range && offset >= info.size) {
        throw new StoreError('RangeNotSatisfiable', `get ${key}: nothing at ${offset}`);
      }
      const received = new ReceivedBody(Math.min(length, info.size - offset), memory);
      for (const part of rangeOf(pieces, offset, length)) received.add(part);
      return { info, pieces: received.pieces };
    });
  }

  async put({ key, body, headers }: PutRequest): Promise<WriteReply> {
    const pieces: Uint8Array[] = [];
    if ('pieces' in body) {
      for await (const piece of body.pieces(new AbortController().signal)) pieces.push(piece);
    } else {
      pieces.push(...body);
    }
    return { etag: this.#store(key, [join(pieces)], headers) };
  }

  createUpload({ headers }: CreateUploadRequest): Promise<string> {
    this.#count += 1;
    const id = `upload-${this.#count}`;
    this.#uploads.set(id, { headers, parts: new Map() });
    return Promise.resolve(id);
  }

  uploadPart({ key, uploadId, partNumber, body }: UploadPartRequest): Promise<UploadedPart> {
    return attempt(() => {
      if ('pieces' in body) throw new Error('parts are not streamed here');
      this.#upload(key, uploadId).parts.set(partNumber, join(body));
      return { partNumber, etag: `part-${partNumber}` };
    });
  }

  uploadPartCopy({ key }: CopyPartRequest): Promise<UploadedPart> {
    return Promise.reject(notThere(`uploadPartCopy ${key}`));
  }

  completeUpload({ key, uploadId, parts }: CompleteUploadRequest): Promise<WriteReply> {
    return attempt(() => {
      const { headers, parts: sent } = this.#upload(key, uploadId);
      const pieces = parts.map(({ partNumber }) => {
        const piece = sent.get(partNumber);
        if (!piece) throw new StoreError('InvalidRequest', `completeUpload ${key}: no part ${partNumber}`);
        return piece;
      });
      this.#uploads.delete(uploadId);
      return { etag: this.#store(key, pieces, headers) };
    });
  }

  abortUpload({ uploadId }: UploadTarget): Promise<void> {
    this.#uploads.delete(uploadId);
    return Promise.resolve();
  }

  copy({ source, targetKey, headers }: CopyRequest): Promise<WriteReply> {
    return attempt(() => ({
      etag: this.#store(targetKey, this.#existing(source.key).pieces, headers),
    }));
  }

  delete(key: string): Promise<void> {
    if (this.#objects.delete(key)) this.#sortedKeys = undefined;
    return Promise.resolve();
  }

  async deleteMany(keys: readonly string[]): Promise<readonly DeleteFailure[]> {
    for (const key of keys) await this.delete(key);
    return [];
  }

  #existing(key: string): StoredObject {
    const found = this.#objects.get(key);
    if (!found) throw new StoreError('NotFound', `${key}: no such object`);
    return found;
  }

  #upload(key: string, uploadId: string) {
    const upload = this.#uploads.get(uploadId);
    if (!upload) throw new StoreError('NoSuchUpload', `${key}: no such upload`);
    return upload;
  }

  #store(key: string, pieces: readonly Buffer[], headers: ObjectHeaders): string {
    this.#count += 1;
    const etag = `version-${this.#count}`;
    const info: ObjectInfo = {
      key,
      size: pieces.reduce((sum, piece) => sum + piece.length, 0),
      etag,
      lastModifiedMs: Date.now(),
      metadata: headers.metadata,
      contentType: headers.contentType,
      isEncrypted: true,
    };
    if (!this.#objects.has(key)) this.#sortedKeys = undefined;
    this.#objects.set(key, { info, pieces });
    return etag;
  }
}

/** The pieces are lent: they change once the request is done. */
function join(pieces: readonly Uint8Array[]): Buffer {
  const joined = Buffer.allocUnsafeSlow(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

function rangeOf(pieces: readonly Buffer[], offset: number, length: number): Buffer[] {
  const wanted: Buffer[] = [];
  let start = 0;
  for (const piece of pieces) {
    const from = Math.max(offset - start, 0);
    const to = Math.min(offset + length - start, piece.length);
    if (from < to) wanted.push(piece.subarray(from, to));
    start += piece.length;
  }
  return wanted;
}

/** The index of the first key that is not below `least`. */
function firstAtLeast(keys: readonly string[], least: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? '') < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

function attempt<T>(action: () => T): Promise<T> {
  try {
    return Promise.resolve(action());
  } catch (error) {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
}

function notThere(what: string): StoreError {
  return new StoreError('NotImplemented', `${what}: the measured jobs do not need this`);
}
