/**
 * A store that repeats requests of another store after failures that pass. A request whose reply was lost may have taken
 * effect. Its repetition then meets that effect, which this tells from a change by somebody else.
 */
import { StoreError, type StoreErrorCode } from '../errors.js';
import type {
  DeleteFailure,
  GetReply,
  GetRequest,
  ListPage,
  ListRequest,
  ObjectHeaders,
  ObjectInfo,
  ObjectStore,
  StoreLimits,
  UploadedPart,
  WriteReply,
  PutRequest,
  CreateUploadRequest,
  UploadPartRequest,
  CopyPartRequest,
  CompleteUploadRequest,
  UploadTarget,
  CopyRequest,
} from '../object-store.js';
import { isMd5, multipartEtag } from './etag.js';
import { isStreamed, lengthOfBody, md5OfBody } from './put-body.js';
import { md5Of } from './request-body.js';
import { isRetried, type RetryPolicy } from './retry-policy.js';

/** The largest body that is hashed just to learn how the server makes its ETags. */
const maxLearningBytes = 1024 * 1024;

export class RetryingObjectStore implements ObjectStore {
  readonly limits: StoreLimits;
  readonly #store: ObjectStore;
  readonly #policy: RetryPolicy;
  /** Whether the ETag of a PUT is the MD5 of its body, as on Ceph but not on AWS. Undefined until the first PUT. */
  #etagsAreMd5: boolean | undefined;

  constructor(store: ObjectStore, policy: RetryPolicy) {
    this.#store = store;
    this.#policy = policy;
    this.limits = store.limits;
  }

  list(request: ListRequest, signal: AbortSignal): Promise<ListPage> {
    return this.#policy.run(`list ${request.prefix}`, () => this.#store.list(request, signal), signal);
  }

  head(key: string, signal: AbortSignal): Promise<ObjectInfo> {
    return this.#policy.run(`head ${key}`, () => this.#store.head(key, signal), signal);
  }

  get(request: GetRequest, signal: AbortSignal): Promise<GetReply> {
    const get = async () => {
      const reply = await this.#store.get(request, signal);
      this.#checkContent(reply);
      return reply;
    };
    return this.#policy.run(`get ${request.key}`, get, signal);
  }

  put(request: PutRequest, signal: AbortSignal): Promise<WriteReply> {
    const { key, body } = request;
    return this.#runWrite(
      `put ${key}`,
      ['PreconditionFailed'],
      async () => {
        const reply = await this.#store.put(request, signal);
        if (!isStreamed(body)) this.#learnEtags(body, reply);
        return reply;
      },
      () => this.#findOwnPut(request, signal),
      signal,
    );
  }

  /** If the reply with the id is lost, an upload without parts stays on the server. */
  createUpload(request: CreateUploadRequest, signal: AbortSignal): Promise<string> {
    const create = () => this.#store.createUpload(request, signal);
    return this.#policy.run(`createUpload ${request.key}`, create, signal);
  }

  uploadPart(request: UploadPartRequest, signal: AbortSignal): Promise<UploadedPart> {
    const upload = () => this.#store.uploadPart(request, signal);
    return this.#policy.run(`uploadPart ${request.key}`, upload, signal);
  }

  uploadPartCopy(request: CopyPartRequest, signal: AbortSignal): Promise<UploadedPart> {
    const copyPart = () => this.#store.uploadPartCopy(request, signal);
    return this.#policy.run(`uploadPartCopy ${request.key}`, copyPart, signal);
  }

  completeUpload(request: CompleteUploadRequest, signal: AbortSignal): Promise<WriteReply> {
    const { key, parts } = request;
    return this.#runWrite(
      `completeUpload ${key}`,
      ['PreconditionFailed', 'NoSuchUpload'],
      () => this.#store.completeUpload(request, signal),
      async () => {
        const info = await this.#findObject(key, signal);
        return info !== undefined && info.etag === multipartEtag(parts) ? { etag: info.etag } : undefined;
      },
      signal,
    );
  }

  abortUpload(upload: UploadTarget, signal: AbortSignal): Promise<void> {
    const abort = () => this.#store.abortUpload(upload, signal);
    return this.#policy.run(`abortUpload ${upload.key}`, abort, signal);
  }

  copy(request: CopyRequest, signal: AbortSignal): Promise<WriteReply> {
    const { source, targetKey, headers } = request;
    return this.#runWrite(
      `copy ${targetKey}`,
      ['PreconditionFailed'],
      () => this.#store.copy(request, signal),
      async () => {
        const info = await this.#findObject(targetKey, signal);
        return info !== undefined && looksWritten(info, source.size, headers)
          ? { etag: info.etag }
          : undefined;
      },
      signal,
    );
  }

  delete(key: string, signal: AbortSignal): Promise<void> {
    return this.#policy.run(`delete ${key}`, () => this.#store.delete(key, signal), signal);
  }

  async deleteMany(keys: readonly string[], signal: AbortSignal): Promise<readonly DeleteFailure[]> {
    let remaining = keys;
    const lasting: DeleteFailure[] = [];
    let passing: readonly DeleteFailure[] = [];
    const attempt = async () => {
      passing = [];
      const failures = await this.#store.deleteMany(remaining, signal);
      lasting.push(...failures.filter(({ error }) => !isRetried(error)));
      passing = failures.filter(({ error }) => isRetried(error));
      remaining = passing.map(({ key }) => key);
      const [first] = passing;
      if (first) throw first.error;
    };
    try {
      await this.#policy.run(`deleteMany ${keys[0] ?? ''}`, attempt, signal);
    } catch (error) {
      if (passing[0]?.error !== error) throw error;
    }
    return [...lasting, ...passing];
  }

  /**
   * Runs a write whose reply may be lost. If a repetition fails with one of `ownEffectCodes`, the first attempt may be the
   * reason: `findOwnEffect` looks for what it wrote, and resolves with undefined if that is not there.
   */
  #runWrite(
    subject: string,
    ownEffectCodes: readonly StoreErrorCode[],
    write: () => Promise<WriteReply>,
    findOwnEffect: () => Promise<WriteReply | undefined>,
    signal: AbortSignal,
  ): Promise<WriteReply> {
    const attempt = async (mayHaveHappened: boolean) => {
      try {
        return await write();
      } catch (error) {
        if (!mayHaveHappened || !(error instanceof StoreError) || !ownEffectCodes.includes(error.code))
          throw error;
        const own = await findOwnEffect();
        if (own === undefined) throw error;
        return own;
      }
    };
    return this.#policy.run(subject, attempt, signal);
  }

  async #findOwnPut(
    { key, body, headers }: PutRequest,
    signal: AbortSignal,
  ): Promise<WriteReply | undefined> {
    const info = await this.#findObject(key, signal);
    if (info === undefined) return undefined;
    if (info.size !== lengthOfBody(body)) return undefined;
    if (info.etag === (await md5OfBody(body, signal))) return { etag: info.etag };
    const isOwn = this.#etagsAreMd5 !== true && looksWritten(info, lengthOfBody(body), headers);
    return isOwn ? { etag: info.etag } : undefined;
  }

  async #findObject(key: string, signal: AbortSignal): Promise<ObjectInfo | undefined> {
    try {
      return await this.#store.head(key, signal);
    } catch (error) {
      if (error instanceof StoreError && error.code === 'NotFound') return undefined;
      throw error;
    }
  }

  /**
   * If the ETag is the MD5 of the content, compares all of the content with it. Leaves out plain objects: Ceph's other
   * interface, which has no customer keys, gives some of them ETags that only look like an MD5.
   */
  #checkContent({ info, pieces }: GetReply): void {
    if (this.#etagsAreMd5 !== true || !info.isEncrypted || !isMd5(info.etag)) return;
    if (lengthOfBody(pieces) !== info.size || md5Of(pieces).toString('hex') === info.etag) return;
    throw new StoreError('CorruptReply', `get ${info.key}: the content is not what its ETag says`);
  }

  #learnEtags(body: readonly Uint8Array[], { etag }: WriteReply): void {
    if (this.#etagsAreMd5 !== undefined || lengthOfBody(body) > maxLearningBytes) return;
    this.#etagsAreMd5 = etag === md5Of(body).toString('hex');
  }
}

/**
 * For servers whose ETags say nothing: compares size and metadata, which holds times in nanoseconds, with what was sent. Empty
 * metadata proves nothing.
 */
function looksWritten(info: ObjectInfo, size: number, { metadata }: ObjectHeaders): boolean {
  const names = Object.keys(metadata);
  return (
    info.size === size &&
    names.length > 0 &&
    names.length === Object.keys(info.metadata).length &&
    names.every((name) => info.metadata[name] === metadata[name])
  );
}
