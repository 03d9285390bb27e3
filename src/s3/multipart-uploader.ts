/** Multipart uploads: objects from parts that are sent or copied, always encrypted under the customer key. */
import { cleanUp } from './clean-up.js';
import type { Limiter } from '../concurrency/limiter.js';
import { ListPartsCommand } from '@aws-sdk/client-s3';
import { BoundedMap } from '../bounded-map.js';
import type { CustomerKey } from '../keys/customer-key.js';
import { StoreError, type StoreErrorCode } from '../errors.js';
import type { HttpReply } from '../http/connection.js';
import type { Log } from '../log.js';
import type {
  CompleteUploadRequest,
  CopyPartRequest,
  CreateUploadRequest,
  UploadedPart,
  UploadPartRequest,
  UploadTarget,
  WriteReply,
} from '../object-store.js';
import { withMd5 } from '../streamed-body.js';
import { storeErrorFacts } from '../store-error-facts.js';
import type { BucketClient } from './bucket-client.js';
import { encryptionHeaders, encryptionOf } from './encryption-headers.js';
import { type FailedCall, statusOf } from './error-codes.js';
import { multipartEtag } from './etag.js';
import { explainDenial } from './explain-denial.js';
import { canNameCopySource } from './key-encoding.js';
import type { ObjectGetter } from './object-getter.js';
import type { EncryptionProof } from './encryption-proof.js';
import type { ObjectTags } from './object-tags.js';
import type { PartMover } from './part-mover.js';
import type { PartSender } from './part-sender.js';
import { isStreamed, lengthOfBody, sendStreamed } from './put-body.js';
import { completedEtagOf, copiedEtagOf, uploadIdOf, versionIdOf } from './object-replies.js';
import { bodyWithoutMd5, requestBody, type MeasuredBody } from './request-body.js';
import { abortUpload, completeUpload, createUpload, uploadPartCopy } from './object-requests.js';
import { checkKey } from './store-limits.js';
import type { WriteConditions } from './write-conditions.js';
import type { WriteEncryption } from './write-encryption.js';
import { storedHeaders, type TaggedHeaders } from './write-headers.js';

interface MultipartUploaderOptions {
  readonly bucket: BucketClient;
  readonly reader: ObjectGetter;
  readonly conditions: WriteConditions;
  /** Copies what the server cannot copy: sources under other customer keys, and those whose names it misreads. */
  readonly partMover: PartMover;
  readonly partSender: PartSender;
  /** For parts whose bodies need other requests. Undefined if only one request can run at a time. */
  readonly streamSlots: Limiter | undefined;
  readonly customerKey: CustomerKey;
  readonly encryption: WriteEncryption;
  readonly proof: EncryptionProof;
  /** Whether parts that are sent have a Content-MD5. */
  readonly hashesParts: boolean;
  readonly tags: ObjectTags;
  readonly log: Log;
}

/** How the server answers the repetition of a completion that succeeded. */
const lostReplyCodes: ReadonlySet<StoreErrorCode> = new Set(['PreconditionFailed', 'NoSuchUpload']);
/** For how many uploads the tags are remembered. */
const maxTaggedUploads = 10_000;

export class MultipartUploader {
  readonly #options: MultipartUploaderOptions;
  /** By upload: the tags that its object shall have. */
  readonly #tagging = new BoundedMap<string, string>(maxTaggedUploads);

  constructor(options: MultipartUploaderOptions) {
    this.#options = options;
  }

  async createUpload(
    { key, headers }: CreateUploadRequest & { readonly headers: TaggedHeaders },
    signal: AbortSignal,
  ): Promise<string> {
    const call = { operation: 'createUpload', key };
    checkKey(call);
    const stored = storedHeaders(headers);
    const reply = await explainDenial(this.#options.bucket, call, signal, () =>
      this.#options.encryption.send(call, signal, (encryption) =>
        this.#options.bucket.send(call, signal, () => createUpload(key, [...encryption, ...stored])),
      ),
    );
    const uploadId = uploadIdOf(call, reply);
    try {
      this.#options.proof.checkBegun(
        call,
        encryptionOf(reply.headers),
        this.#options.customerKey.fingerprint,
      );
    } catch (error) {
      await this.#forgetUpload({ key, uploadId });
      throw error;
    }
    if (headers.tagging !== undefined) this.#tagging.set(uploadId, headers.tagging);
    return uploadId;
  }

  async uploadPart(
    { key, uploadId, partNumber, body }: UploadPartRequest,
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    const call = { operation: 'uploadPart', key, uploadId, partNumber, length: lengthOfBody(body) };
    const send = (makeBody: () => MeasuredBody, sendSignal: AbortSignal) =>
      this.#options.partSender.send(call, makeBody, sendSignal);
    if (!isStreamed(body)) {
      return await send(() => (this.#options.hashesParts ? requestBody(body) : bodyWithoutMd5(body)), signal);
    }
    // A body whose pieces need requests goes without, since they would be fetched twice.
    const isHashed = this.#options.hashesParts && body.md5 === undefined && !body.needsRequests;
    const sent = isHashed ? await withMd5(body, signal) : body;
    return await sendStreamed(sent, this.#options.streamSlots, send, call, signal);
  }

  async uploadPartCopy(request: CopyPartRequest, signal: AbortSignal): Promise<UploadedPart> {
    const { source } = request;
    const isForeign = this.#isForeign(this.#options.reader.guessKey(source.key)?.fingerprint);
    if (isForeign || !canNameCopySource(source.key))
      return await this.#options.partMover.move(request, signal);
    let part: UploadedPart;
    try {
      part = await this.#sendPartCopy(request, true, signal);
    } catch (error) {
      // 400 of Ceph and 403 of AWS may mean that the source is under another key.
      if (!(error instanceof StoreError) || ![400, 403].includes(statusOf(error) ?? 0)) throw error;
      // AWS refuses a customer key for a source that is not encrypted. HEAD tells that from a wrong key.
      const { isEncrypted, keyFingerprint } = await this.#options.reader.head(source.key, signal);
      if (this.#isForeign(keyFingerprint)) return await this.#options.partMover.move(request, signal);
      if (isEncrypted || statusOf(error) !== 400) throw error;
      part = await this.#sendPartCopy(request, false, signal);
    }
    // Ceph ignores x-amz-copy-source-if-match. If the source still is that version, it was that version.
    const { etag } = await this.#options.reader.head(source.key, signal);
    if (etag !== source.ifMatch) {
      throw new StoreError(
        'PreconditionFailed',
        `uploadPartCopy ${source.key}: ${storeErrorFacts.PreconditionFailed.meaning}`,
      );
    }
    return part;
  }

  #isForeign(fingerprint: string | undefined): boolean {
    return fingerprint !== undefined && fingerprint !== this.#options.customerKey.fingerprint;
  }

  async completeUpload(request: CompleteUploadRequest, signal: AbortSignal): Promise<WriteReply> {
    const { key, uploadId, parts, condition } = request;
    const call = { operation: 'completeUpload', key };
    const encryption = encryptionHeaders(this.#options.customerKey);
    const complete = () =>
      this.#options.conditions.sendChecked(call, condition, signal, (conditions) =>
        this.#options.bucket.send(call, signal, () =>
          completeUpload({ key, uploadId }, parts, [...encryption, ...conditions]),
        ),
      );
    let reply: HttpReply;
    try {
      await this.#options.conditions.check(call, condition, signal);
      reply = await this.#explainingLoss(call, uploadId, signal, complete);
    } catch (error) {
      if (error instanceof StoreError && lostReplyCodes.has(error.code)) {
        await this.#keepTagsOfLostReply(request, signal);
      }
      throw error;
    }
    this.#options.conditions.noteVersion(versionIdOf(reply));
    // Ceph 16 leaves the ETag empty.
    const etag = completedEtagOf(reply) || multipartEtag(parts);
    await this.#keepTags(request, signal);
    return { etag: etag ?? (await this.#options.reader.head(key, signal)).etag };
  }

  /** Ceph 16 forgets the tags with which an upload began. */
  async #keepTags({ key, uploadId }: UploadTarget, signal: AbortSignal): Promise<void> {
    const tagging = this.#tagging.get(uploadId);
    if (tagging === undefined) return;
    const { hasTags } = await this.#options.reader.head(key, signal);
    if (hasTags !== true) await this.#options.tags.write(key, tagging, signal);
    this.#tagging.delete(uploadId);
  }

  /** An earlier try may have ended between the completion and the tags. */
  async #keepTagsOfLostReply(request: CompleteUploadRequest, signal: AbortSignal): Promise<void> {
    if (!this.#tagging.has(request.uploadId)) return;
    const { etag } = await this.#options.reader.head(request.key, signal);
    if (etag === multipartEtag(request.parts)) await this.#keepTags(request, signal);
  }

  async abortUpload({ key, uploadId }: UploadTarget, signal: AbortSignal): Promise<void> {
    this.#tagging.delete(uploadId);
    const call = { operation: 'abortUpload', key };
    try {
      await this.#options.bucket.send(call, signal, () => abortUpload({ key, uploadId }));
    } catch (error) {
      const isGone =
        error instanceof StoreError && (error.code === 'NoSuchUpload' || error.code === 'NotFound');
      if (!isGone) throw error;
    }
  }

  /** Nothing was sent to this upload. */
  async #forgetUpload(upload: UploadTarget): Promise<void> {
    const message = 'an upload that is not used could not be aborted';
    await cleanUp({ log: this.#options.log, key: upload.key, message }, (signal) =>
      this.abortUpload(upload, signal),
    );
  }

  async #sendPartCopy(
    { key, uploadId, partNumber, source }: CopyPartRequest,
    sourceIsEncrypted: boolean,
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    const call = { operation: 'uploadPartCopy', key };
    this.#options.proof.requireNotRefuted(call);
    const { bucket } = this.#options.bucket;
    const customerKey = sourceIsEncrypted ? this.#options.customerKey : undefined;
    const reply = await this.#options.bucket.send(call, signal, () =>
      uploadPartCopy({ key, uploadId }, partNumber, this.#options.customerKey, {
        ...source,
        bucket,
        customerKey,
      }),
    );
    this.#options.proof.checkAdded(call, encryptionOf(reply.headers), this.#options.customerKey.fingerprint);
    return { partNumber, etag: copiedEtagOf(call, reply) };
  }

  /** Ceph 16 answers 500 to the completion of an unknown upload, although trying again does not help. */
  async #explainingLoss<T>(
    call: FailedCall,
    uploadId: string,
    signal: AbortSignal,
    complete: () => Promise<T>,
  ): Promise<T> {
    try {
      return await complete();
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'ServerError') throw error;
      if (await this.#hasUpload(call.key, uploadId, signal)) throw error;
      throw new StoreError(
        'NoSuchUpload',
        `${call.operation} ${call.key}: ${storeErrorFacts.NoSuchUpload.meaning}`,
        {
          cause: error.cause,
        },
      );
    }
  }

  async #hasUpload(key: string, uploadId: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#options.bucket.request({ operation: 'listParts', key }, signal, (client, input, options) =>
        client.send(new ListPartsCommand({ ...input, Key: key, UploadId: uploadId, MaxParts: 1 }), options),
      );
      return true;
    } catch (error) {
      if (error instanceof StoreError && (error.code === 'NoSuchUpload' || error.code === 'NotFound'))
        return false;
      throw error;
    }
  }
}
