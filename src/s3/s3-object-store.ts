/**
 * The object store on an S3 server: everything is written encrypted under the customer key (SSE-C) and read with it.
 * Makes each request once; `RetryingObjectStore` around it tries again. How the client is made is left to `connect.ts`.
 */
import type { CustomerKey } from '../keys/customer-key.js';
import type { Log } from '../log.js';
import type {
  DeleteFailure,
  GetReply,
  GetRequest,
  ListPage,
  ListRequest,
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
import { BucketClient, type S3Access } from './bucket-client.js';
import { EncryptionProbe } from './encryption-probe.js';
import { EncryptionProof } from './encryption-proof.js';
import { MultipartUploader } from './multipart-uploader.js';
import { ObjectCopier } from './object-copier.js';
import { ObjectDeleter } from './object-deleter.js';
import { ObjectGetter, type PlaintextPolicy } from './object-getter.js';
import { ObjectWriter } from './object-writer.js';
import { ObjectTags } from './object-tags.js';
import { PartMover } from './part-mover.js';
import { PartSender } from './part-sender.js';
import type { RequestCounters } from './request-counters.js';
import { RequestSlots } from './request-slots.js';
import type { RetryPolicy } from './retry-policy.js';
import { RetryingObjectStore } from './retrying-object-store.js';
import { limitsOf } from './store-limits.js';
import { WriteConditions } from './write-conditions.js';
import { WriteEncryption } from './write-encryption.js';

export interface S3StoreOptions {
  readonly access: S3Access;
  /** As `connect` found it; undefined means AWS, whose limits are narrower. */
  readonly endpoint: URL | undefined;
  readonly bucket: string;
  /** Encrypts what is written. */
  readonly customerKey: CustomerKey;
  /** Further keys that decrypt. Default: none. */
  readonly otherCustomerKeys?: readonly CustomerKey[];
  /**
   * Objects without SSE-C: 'read' returns them as they are and warns once; with 'refuse', get and copy reject with
   * `PlaintextRefused` (list and head show them all the same).
   */
  readonly plaintext: PlaintextPolicy;
  readonly log: Log;
  /** Count requests and bytes. May be shared with stores of other buckets. Default: nothing is counted. */
  readonly counters?: RequestCounters;
  /** Also send `x-amz-server-side-encryption: AES256`, for bucket policies on Ceph 16. AWS refuses it. Default false. */
  readonly extraEncryptionHeader?: boolean;
  /** Asks whether the bucket demands that header now, after a refused write. Default: it is not asked. */
  readonly askExtraHeader?: (signal: AbortSignal) => Promise<boolean>;
  /** Whether the bucket is known to keep versions, where some servers judge conditions wrongly. Default false: not known. */
  readonly keepsVersions?: boolean;
  /** What is known about the server's encryption; shared with other stores there. Default: nothing. */
  readonly encryptionProof?: EncryptionProof;
  /** Default 64; not more than the agent's sockets. `RequestSlots` are shared with stores of other buckets. */
  readonly maxConcurrentRequests?: number | RequestSlots;
  /** For the single requests of a copy, so that one failed part does not fail the copy. Default: none. */
  readonly copyRetry?: RetryPolicy;
}

const defaultMaxConcurrentRequests = 64;

export class S3ObjectStore implements ObjectStore {
  readonly limits: StoreLimits;
  readonly #reader: ObjectGetter;
  readonly #writer: ObjectWriter;
  readonly #uploader: MultipartUploader;
  readonly #copier: ObjectCopier;
  readonly #deleter: ObjectDeleter;
  readonly #tags: ObjectTags;
  readonly #probe: EncryptionProbe;
  readonly #proof: EncryptionProof;
  readonly #hasSeveralKeys: boolean;

  constructor(options: S3StoreOptions) {
    const {
      access,
      customerKey,
      otherCustomerKeys = [],
      plaintext,
      log,
      extraEncryptionHeader = false,
      keepsVersions = false,
      encryptionProof: proof = new EncryptionProof(log),
      copyRetry,
    } = options;
    const slots = RequestSlots.of(options.maxConcurrentRequests ?? defaultMaxConcurrentRequests);
    const isAws = options.endpoint === undefined;
    this.limits = limitsOf(isAws);
    const bucket = new BucketClient({
      access,
      bucket: options.bucket,
      maxConcurrentRequests: slots,
      ...(options.counters && { counters: options.counters }),
      log,
    });
    const encryption = new WriteEncryption({
      customerKey,
      hasExtraHeader: extraEncryptionHeader,
      askExtraHeader: options.askExtraHeader,
    });
    const reader = new ObjectGetter({ bucket, customerKey, otherCustomerKeys, plaintext, proof, log });
    const conditions = new WriteConditions({ reader, isAws, keepsVersions, log });
    const store = copyRetry ? new RetryingObjectStore(this, copyRetry) : this;
    const streamSlots = slots.streams;
    const partSender = new PartSender({ bucket, customerKey, proof });
    const partMover = new PartMover({ reader, partSender, streamSlots });
    const tags = new ObjectTags(bucket);
    this.#reader = reader;
    this.#tags = tags;
    this.#proof = proof;
    this.#probe = new EncryptionProbe({ bucket, proof, encryption, log });
    this.#deleter = new ObjectDeleter(bucket);
    this.#writer = new ObjectWriter({
      bucket,
      reader,
      deleter: this.#deleter,
      conditions,
      encryption,
      proof,
      streamSlots,
      log,
    });
    this.#uploader = new MultipartUploader({
      bucket,
      reader,
      conditions,
      partMover,
      partSender,
      streamSlots,
      customerKey,
      encryption,
      proof,
      tags,
      log,
      // AWS wants a hash where objects are locked. Elsewhere TLS protects the part.
      hashesParts: options.endpoint?.protocol !== 'https:',
    });
    this.#copier = new ObjectCopier({ bucket, conditions, store, customerKey, encryption, log });
    this.#hasSeveralKeys = otherCustomerKeys.length > 0;
  }

  /**
   * Finds out by requests without content whether the server will encrypt, unless that is known. Rejects with `NotEncrypting`
   * if not. Resolves also if only a write can show it. `key` names the object that will be written.
   */
  async proveEncryption(key: string, signal: AbortSignal): Promise<void> {
    await this.#probe.settle({ operation: 'put', key }, signal);
  }

  /** Whether `proveEncryption` has nothing to find out. */
  get isEncryptionSettled(): boolean {
    return this.#probe.isSettled;
  }

  list(request: ListRequest, signal: AbortSignal): Promise<ListPage> {
    return this.#reader.list(request, signal);
  }

  head(key: string, signal: AbortSignal): Promise<ObjectInfo> {
    return this.#reader.head(key, signal);
  }

  get(request: GetRequest, signal: AbortSignal): Promise<GetReply> {
    return this.#reader.get(request, signal);
  }

  async put(request: PutRequest, signal: AbortSignal): Promise<WriteReply> {
    const { key } = request;
    await this.proveEncryption(key, signal);
    const headers = await this.#tags.addTo(request.headers, signal);
    const reply = await this.#writer.put({ ...request, headers }, signal);
    this.#reader.noteWritten(key);
    return reply;
  }

  async createUpload({ key, headers }: CreateUploadRequest, signal: AbortSignal): Promise<string> {
    this.#proof.requireNotRefuted({ operation: 'createUpload', key });
    return this.#uploader.createUpload({ key, headers: await this.#tags.addTo(headers, signal) }, signal);
  }

  uploadPart(request: UploadPartRequest, signal: AbortSignal): Promise<UploadedPart> {
    return this.#uploader.uploadPart(request, signal);
  }

  uploadPartCopy(request: CopyPartRequest, signal: AbortSignal): Promise<UploadedPart> {
    return this.#uploader.uploadPartCopy(request, signal);
  }

  async completeUpload(request: CompleteUploadRequest, signal: AbortSignal): Promise<WriteReply> {
    const reply = await this.#uploader.completeUpload(request, signal);
    this.#reader.noteWritten(request.key);
    return reply;
  }

  abortUpload(upload: UploadTarget, signal: AbortSignal): Promise<void> {
    return this.#uploader.abortUpload(upload, signal);
  }

  async copy(request: CopyRequest, signal: AbortSignal): Promise<WriteReply> {
    const { source, targetKey } = request;
    this.#reader.checkReadable('copy', source);
    await this.proveEncryption(targetKey, signal);
    const known = await this.#withFingerprint(source, signal);
    const reply = await this.#copier.copy({ ...request, source: known }, signal);
    this.#reader.noteWritten(targetKey);
    return reply;
  }

  /** A listing does not say which of several keys an object is under. */
  async #withFingerprint(source: ObjectInfo, signal: AbortSignal): Promise<ObjectInfo> {
    if (!this.#hasSeveralKeys || !source.isEncrypted || source.keyFingerprint !== undefined) return source;
    const { keyFingerprint } = await this.#reader.head(source.key, signal);
    return { ...source, ...(keyFingerprint !== undefined && { keyFingerprint }) };
  }

  delete(key: string, signal: AbortSignal): Promise<void> {
    return this.#deleter.delete(key, signal);
  }

  deleteMany(keys: readonly string[], signal: AbortSignal): Promise<readonly DeleteFailure[]> {
    return this.#deleter.deleteMany(keys, signal);
  }
}
