/**
 * An object store in memory for tests of the layers above: it keeps S3's rules (part sizes, conditions, copies by
 * version), counts requests and bytes, fails on demand, and can hold requests back.
 */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { lockOrder } from '../../src/concurrency/lock-order.js';
import { StoreError, type StoreErrorCode } from '../../src/errors.js';
import { ReceivedBody } from '../../src/http/received-body.js';
import {
  mostBytesOf,
  type DeleteFailure,
  type GetReply,
  type GetRequest,
  type ListedObject,
  type ListPage,
  type ListRequest,
  type ObjectHeaders,
  type ObjectInfo,
  type ObjectStore,
  type StoreLimits,
  type StreamedBody,
  type UploadedPart,
  type WriteCondition,
  type WriteReply,
  type PutRequest,
  type CreateUploadRequest,
  type UploadPartRequest,
  type CopyPartRequest,
  type CompleteUploadRequest,
  type UploadTarget,
  type CopyRequest,
} from '../../src/object-store.js';

export type StoreMethod = Exclude<keyof ObjectStore, 'limits'>;

interface StoredObject {
  readonly info: ObjectInfo;
  readonly bytes: Uint8Array;
  /** For listings, which tell it more exactly than HEAD. */
  readonly storedAtMs: number;
  /** In the form of `x-amz-tagging`. */
  readonly tags?: string;
}

interface Upload {
  readonly key: string;
  readonly headers: ObjectHeaders;
  readonly tags: string | undefined;
  readonly parts: Map<number, Uint8Array>;
}

const mebibyte = 1024 * 1024;

export const defaultMemoryLimits: StoreLimits = {
  minPartSize: 5 * mebibyte,
  maxPartSize: 5 * 1024 * mebibyte,
  maxParts: 10_000,
  maxObjectSize: 5 * 1024 * 1024 * mebibyte,
  maxKeyBytes: 1024,
  maxMetadataBytes: 2048,
};

export class MemoryObjectStore implements ObjectStore {
  readonly limits: StoreLimits;
  readonly objects = new Map<string, StoredObject>();
  readonly uploads = new Map<string, Upload>();
  /** How often each method was called. */
  readonly requests = new Map<StoreMethod, number>();
  bytesSent = 0;
  bytesReceived = 0;
  /** Called before each request; may throw a StoreError or wait. */
  beforeRequest: (method: StoreMethod, key: string) => void | Promise<void> = () => undefined;
  /** Called after a request took effect and before its reply: a throw is a lost reply. */
  afterRequest: (method: StoreMethod, key: string) => void | Promise<void> = () => undefined;
  /** Not by chance a whole second, of which a listing does not show whether it is exact. */
  now: () => number = () => Math.max(Date.now(), Math.floor(Date.now() / 1000) * 1000 + 1);
  #nextUpload = 1;

  /** Smaller limits make tests of multipart patterns cheap. */
  constructor(limits: Partial<StoreLimits> = {}) {
    this.limits = { ...defaultMemoryLimits, ...limits };
  }

  requestCount(...methods: StoreMethod[]): number {
    const names = methods.length > 0 ? methods : [...this.requests.keys()];
    return names.reduce((sum, name) => sum + (this.requests.get(name) ?? 0), 0);
  }

  resetCounters(): void {
    this.requests.clear();
    this.bytesSent = 0;
    this.bytesReceived = 0;
  }

  /** The next `times` calls of `method` fail with `code`. */
  failNext(method: StoreMethod, code: StoreErrorCode, times = 1): void {
    const previous = this.beforeRequest;
    let left = times;
    this.beforeRequest = async (called, key) => {
      if (called === method && left > 0) {
        left -= 1;
        if (left === 0) this.beforeRequest = previous;
        throw new StoreError(code, `${method} ${key}: failed on demand`);
      }
      await previous(called, key);
    };
  }

  /** What another client does: stores an object without conditions, counters or hooks. */
  putForeign(
    key: string,
    content: Uint8Array | string,
    { tags, ...headers }: Partial<ObjectHeaders> & { readonly tags?: string } = {},
  ): string {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    return this.#store(key, bytes, { metadata: {}, ...headers }, tags);
  }

  contentOf(key: string): Buffer | undefined {
    const found = this.objects.get(key);
    return found && Buffer.from(found.bytes);
  }

  async list(request: ListRequest, signal: AbortSignal): Promise<ListPage> {
    await this.#begin('list', request.prefix, signal);
    const limit = request.maxKeys ?? 1000;
    const after =
      request.continuationToken === undefined ? undefined : Buffer.from(request.continuationToken);
    const objects: ListedObject[] = [];
    const prefixes: string[] = [];
    let last: string | undefined;
    const keys = [...this.objects.keys()]
      .filter((key) => key.startsWith(request.prefix))
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const key of keys) {
      const rest = key.slice(request.prefix.length);
      const cut = request.delimiter === undefined ? -1 : rest.indexOf(request.delimiter);
      const shown = cut < 0 ? key : request.prefix + rest.slice(0, cut + 1);
      if (after !== undefined && Buffer.compare(Buffer.from(shown), after) <= 0) continue;
      if (shown === last) continue;
      if (objects.length + prefixes.length === limit) return { objects, prefixes, continuationToken: last };
      last = shown;
      if (cut < 0) objects.push(listed(this.#existing(key, 'list')));
      else prefixes.push(shown);
    }
    return { objects, prefixes, continuationToken: undefined };
  }

  async head(key: string, signal: AbortSignal): Promise<ObjectInfo> {
    await this.#begin('head', key, signal);
    const toldAtMs = Math.floor(this.now() / 1000) * 1000;
    return { ...this.#existing(key, 'head').info, toldAtMs };
  }

  async get(request: GetRequest, signal: AbortSignal): Promise<GetReply> {
    const { key, memory } = request;
    await this.#begin('get', key, signal);
    const { info, bytes } = this.#existing(key, 'get');
    if (request.ifMatch !== undefined && request.ifMatch !== info.etag) {
      throw new StoreError('PreconditionFailed', `get ${key}: the object was replaced`);
    }
    if (!request.range && info.size > mostBytesOf(request)) {
      const code = request.ifMatch === undefined ? 'EntityTooLarge' : 'CorruptReply';
      throw new StoreError(code, `get ${key}: it has more than ${mostBytesOf(request)} bytes`);
    }
    const { offset, length } = request.range ?? { offset: 0, length: info.size };
    if (request.range && offset >= info.size) {
      throw new StoreError('RangeNotSatisfiable', `get ${key}: nothing at ${offset}`);
    }
    const reply = bytes.subarray(offset, offset + length);
    this.bytesReceived += reply.length;
    await this.#end('get', key, signal);
    return { info, pieces: piecesOf(reply, memory) };
  }

  async put({ key, body, headers, condition }: PutRequest, signal: AbortSignal): Promise<WriteReply> {
    const bytes = this.#receive('pieces' in body ? await collect(body, signal) : body);
    await this.#begin('put', key, signal);
    this.#checkCondition('put', key, condition);
    const etag = this.#store(key, bytes, headers, this.#tagsOf(headers));
    await this.#end('put', key, signal);
    return { etag };
  }

  async createUpload({ key, headers }: CreateUploadRequest, signal: AbortSignal): Promise<string> {
    await this.#begin('createUpload', key, signal);
    this.#checkKey(key);
    const uploadId = `upload-${this.#nextUpload++}`;
    this.uploads.set(uploadId, { key, headers, tags: this.#tagsOf(headers), parts: new Map() });
    return uploadId;
  }

  async uploadPart(
    { key, uploadId, partNumber, body }: UploadPartRequest,
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    const bytes = this.#receive('pieces' in body ? await collect(body, signal) : body);
    await this.#begin('uploadPart', key, signal);
    const part = this.#storePart('uploadPart', key, uploadId, partNumber, bytes);
    await this.#end('uploadPart', key, signal);
    return part;
  }

  async uploadPartCopy(
    { key, uploadId, partNumber, source }: CopyPartRequest,
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    await this.#begin('uploadPartCopy', key, signal);
    const { info, bytes } = this.#existing(source.key, 'uploadPartCopy');
    if (info.etag !== source.ifMatch) {
      throw new StoreError('PreconditionFailed', `uploadPartCopy ${source.key}: the source was replaced`);
    }
    const { offset, length } = source.range ?? { offset: 0, length: info.size };
    if (source.range && (length === 0 || offset + length > info.size)) {
      throw new StoreError('InvalidRequest', `uploadPartCopy ${source.key}: range outside the object`);
    }
    return this.#storePart(
      'uploadPartCopy',
      key,
      uploadId,
      partNumber,
      Buffer.from(bytes.subarray(offset, offset + length)),
    );
  }

  async completeUpload(
    { key, uploadId, parts, condition }: CompleteUploadRequest,
    signal: AbortSignal,
  ): Promise<WriteReply> {
    await this.#begin('completeUpload', key, signal);
    const upload = this.#upload('completeUpload', key, uploadId);
    if (parts.length === 0 || parts.length > this.limits.maxParts) {
      throw new StoreError('InvalidRequest', `completeUpload ${key}: ${parts.length} parts`);
    }
    if (parts.length !== upload.parts.size) {
      // As Ceph does; AWS would leave the others out.
      throw new StoreError('InvalidRequest', `completeUpload ${key}: not all the parts that were uploaded`);
    }
    const pieces: Uint8Array[] = [];
    let previous = 0;
    for (const [position, part] of parts.entries()) {
      const bytes = upload.parts.get(part.partNumber);
      if (part.partNumber <= previous || bytes === undefined || etagOf(bytes) !== part.etag) {
        throw new StoreError('InvalidRequest', `completeUpload ${key}: part ${part.partNumber} does not fit`);
      }
      if (position < parts.length - 1 && bytes.length < this.limits.minPartSize) {
        throw new StoreError('InvalidRequest', `completeUpload ${key}: part ${part.partNumber} is too small`);
      }
      previous = part.partNumber;
      pieces.push(bytes);
    }
    this.#checkCondition('completeUpload', key, condition);
    this.uploads.delete(uploadId);
    const etag = this.#store(key, Buffer.concat(pieces), upload.headers, upload.tags, multipartEtagOf(parts));
    await this.#end('completeUpload', key, signal);
    return { etag };
  }

  async abortUpload({ key, uploadId }: UploadTarget, signal: AbortSignal): Promise<void> {
    await this.#begin('abortUpload', key, signal);
    this.uploads.delete(uploadId);
  }

  async copy(
    { source, targetKey, headers, condition }: CopyRequest,
    signal: AbortSignal,
  ): Promise<WriteReply> {
    await this.#begin('copy', source.key, signal);
    const found = this.#existing(source.key, 'copy');
    if (found.info.etag !== source.etag) {
      throw new StoreError('PreconditionFailed', `copy ${source.key}: the source was replaced`);
    }
    this.#checkCondition('copy', targetKey, condition);
    const part = { partNumber: 1, etag: etagOf(found.bytes) };
    const etag = this.#store(targetKey, found.bytes, headers, this.#tagsOf(headers), multipartEtagOf([part]));
    await this.#end('copy', targetKey, signal);
    return { etag };
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    await this.#begin('delete', key, signal);
    this.objects.delete(key);
    await this.#end('delete', key, signal);
  }

  async deleteMany(keys: readonly string[], signal: AbortSignal): Promise<readonly DeleteFailure[]> {
    await this.#begin('deleteMany', keys[0] ?? '', signal);
    for (const key of keys) this.objects.delete(key);
    return [];
  }

  async #begin(method: StoreMethod, key: string, signal: AbortSignal): Promise<void> {
    this.requests.set(method, (this.requests.get(method) ?? 0) + 1);
    // Before the hook is asked, whose rejection nobody would hear of.
    if (signal.aborted) throw new StoreError('Aborted', `${method} ${key}: aborted`);
    const waiting = lockOrder.outside(() => this.beforeRequest(method, key));
    await this.#interruptible(waiting, method, key, signal);
  }

  async #end(method: StoreMethod, key: string, signal: AbortSignal): Promise<void> {
    const waiting = lockOrder.outside(() => this.afterRequest(method, key));
    await this.#interruptible(waiting, method, key, signal);
  }

  async #interruptible(
    waiting: void | Promise<void>,
    method: StoreMethod,
    key: string,
    signal: AbortSignal,
  ): Promise<void> {
    const throwIfAborted = () => {
      if (signal.aborted) throw new StoreError('Aborted', `${method} ${key}: aborted`);
    };
    throwIfAborted();
    if (waiting === undefined) {
      await nextTurn(); // as a network would: the reply never comes in the same turn
    } else {
      let stop: () => void = () => undefined;
      const abortion = new Promise<void>((resolve) => (stop = resolve));
      signal.addEventListener('abort', stop, { once: true });
      try {
        await Promise.race([waiting, abortion]);
      } finally {
        signal.removeEventListener('abort', stop);
      }
    }
    throwIfAborted();
  }

  #receive(body: readonly Uint8Array[]): Uint8Array {
    const bytes = Buffer.concat(body);
    this.bytesSent += bytes.length;
    return bytes;
  }

  #checkKey(key: string): void {
    if (Buffer.byteLength(key) > this.limits.maxKeyBytes) {
      throw new StoreError('KeyTooLong', `${key}: the key is too long`);
    }
  }

  #checkCondition(method: StoreMethod, key: string, condition: WriteCondition): void {
    this.#checkKey(key);
    const etag = this.objects.get(key)?.info.etag;
    if (condition.ifMatch !== undefined && condition.ifMatch !== etag) {
      throw new StoreError('PreconditionFailed', `${method} ${key}: the object was replaced`);
    }
    if (condition.ifNoneMatch !== undefined && etag !== undefined) {
      throw new StoreError('PreconditionFailed', `${method} ${key}: the object exists`);
    }
  }

  #existing(key: string, method: StoreMethod): StoredObject {
    const found = this.objects.get(key);
    if (!found) throw new StoreError('NotFound', `${method} ${key}: no such object`);
    return found;
  }

  #upload(method: StoreMethod, key: string, uploadId: string): Upload {
    const upload = this.uploads.get(uploadId);
    if (upload?.key !== key) throw new StoreError('NoSuchUpload', `${method} ${key}: no such upload`);
    return upload;
  }

  #storePart(
    method: StoreMethod,
    key: string,
    uploadId: string,
    partNumber: number,
    bytes: Uint8Array,
  ): UploadedPart {
    if (partNumber < 1 || partNumber > this.limits.maxParts || bytes.length > this.limits.maxPartSize) {
      throw new StoreError('InvalidRequest', `${method} ${key}: part ${partNumber} of ${bytes.length} bytes`);
    }
    this.#upload(method, key, uploadId).parts.set(partNumber, bytes);
    return { partNumber, etag: etagOf(bytes) };
  }

  #tagsOf({ tagsOf }: ObjectHeaders): string | undefined {
    return tagsOf === undefined ? undefined : this.objects.get(tagsOf)?.tags;
  }

  #store(
    key: string,
    bytes: Uint8Array,
    headers: ObjectHeaders,
    tags: string | undefined,
    etag = etagOf(bytes),
  ): string {
    const storedAtMs = this.now();
    this.objects.set(key, {
      bytes,
      storedAtMs,
      ...(tags !== undefined && { tags }),
      info: {
        key,
        size: bytes.length,
        etag,
        lastModifiedMs: Math.floor(storedAtMs / 1000) * 1000,
        metadata: { ...headers.metadata },
        contentType: headers.contentType,
        ...(headers.kept && { kept: headers.kept }),
        ...(tags !== undefined && { hasTags: true }),
        isEncrypted: true,
      },
    });
    return etag;
  }
}

/** In memory as the request wants it. */
export function piecesOf(bytes: Uint8Array, memory: GetRequest['memory']): readonly Uint8Array[] {
  const received = new ReceivedBody(bytes.length, memory);
  received.add(bytes);
  return received.pieces;
}

function listed({ info: { key, size, etag }, storedAtMs }: StoredObject): ListedObject {
  return { key, size, etag, lastModifiedMs: storedAtMs };
}

function etagOf(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex');
}

/** As Ceph makes it: the MD5 of the parts' MD5s and their number. */
function multipartEtagOf(parts: readonly UploadedPart[]): string {
  const hash = createHash('md5');
  for (const { etag } of parts) hash.update(Buffer.from(etag, 'hex'));
  return `${hash.digest('hex')}-${parts.length}`;
}

async function collect(body: StreamedBody, signal: AbortSignal): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body.pieces(signal)) pieces.push(piece);
  return pieces;
}
