/**
 * One multipart upload from its beginning to its completion or abort, and the sending of its parts. `upload-plan.ts` and
 * `stream-plan.ts` decide which parts there are.
 */
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import type {
  ObjectHeaders,
  ObjectStore,
  UploadedPart,
  WriteCondition,
  WriteReply,
} from '../object-store.js';
import { abortable, throwIfAborted } from '../concurrency/abortable.js';
import { mapLimited } from '../concurrency/for-each-limited.js';
import type { FileContent } from './file-content.js';
import { streamedRange } from './streamed-range.js';
import type { Limiter } from '../concurrency/limiter.js';
import type { PlannedPart } from './upload-plan.js';

export interface UploadSignals {
  /** The caller's signal. It ends everything but the last request. */
  readonly signal: AbortSignal;
  /** For the request that makes the object appear. Its outcome must be known, so the caller's signal does not end it. */
  readonly finalSignal: AbortSignal;
}

export interface UploadServices {
  readonly store: ObjectStore;
  readonly limiter: Limiter;
  readonly content: FileContent;
  /** How much of a part is brought into memory at once. A part with more that is not in memory is read while it is sent. */
  readonly heldBytes: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Called with each abort of an upload that goes on without its caller. It never rejects. */
  readonly onCleanup: (cleanup: Promise<void>) => void;
}

interface NumberedPart {
  readonly number: number;
  readonly part: PlannedPart;
  /** Called when the limiter lets the part through. Default: yes. */
  readonly isWanted?: () => boolean;
}

/** For requests that go on without the caller: beginning an upload, so that its id is known, and aborting it. */
const detachedTimeoutMs = 60_000;

export class MultipartUpload {
  readonly key: string;
  readonly headers: ObjectHeaders;
  readonly #services: UploadServices;
  #id: Promise<string> | undefined;
  /** The numbers of all parts that the server may have. Ceph completes an upload only with all its parts. */
  readonly #sentNumbers = new Set<number>();
  #lastSentNumber = 0;

  constructor(services: UploadServices, key: string, headers: ObjectHeaders) {
    this.#services = services;
    this.key = key;
    this.headers = headers;
  }

  /** The highest number of a part that the server may have. 0 without parts. */
  get lastSentNumber(): number {
    return this.#lastSentNumber;
  }

  /** Whether the server may have a part for which `isListed` returns false. */
  hasOthers(isListed: (partNumber: number) => boolean): boolean {
    for (const number of this.#sentNumbers) if (!isListed(number)) return true;
    return false;
  }

  /** Begins the upload at the first call, and again after a failure. */
  async begin(signal: AbortSignal): Promise<string> {
    throwIfAborted(signal, `createUpload ${this.key}`);
    if (!this.#id) {
      const { store } = this.#services;
      // Not the caller's signal: an upload without a known id could never be aborted.
      const id = store.createUpload(
        { key: this.key, headers: this.headers },
        AbortSignal.timeout(detachedTimeoutMs),
      );
      this.#id = id;
      id.catch(() => {
        if (this.#id === id) this.#id = undefined;
      });
    }
    return abortable(this.#id, signal, `createUpload ${this.key}`);
  }

  /** Sends one part, or lets the server copy it, when the limiter allows it. Undefined if it is not wanted any more by then. */
  async send(
    { number: partNumber, part, isWanted = () => true }: NumberedPart,
    signal: AbortSignal,
  ): Promise<UploadedPart | undefined> {
    const { offset, length, copyFrom } = part;
    const { store, limiter, content, heldBytes } = this.#services;
    const isStreamed = () => content.absentBytes(offset, length) > heldBytes;
    const id = await this.begin(signal);
    const what = `part ${partNumber} of ${this.key}`;
    const isCopied = copyFrom !== undefined;
    const bytes = isCopied ? 0 : isStreamed() ? heldBytes : length;
    return limiter.run({ bytes, signal, what }, async () => {
      if (!isWanted()) return undefined;
      this.#sentNumbers.add(partNumber);
      this.#lastSentNumber = Math.max(this.#lastSentNumber, partNumber);
      if (copyFrom) {
        const range = { offset: copyFrom.offset, length };
        const source = { key: copyFrom.version.key, ifMatch: copyFrom.version.etag, range };
        return store.uploadPartCopy({ key: this.key, uploadId: id, partNumber, source }, signal);
      }
      if (isStreamed()) {
        const body = streamedRange(content, { offset, length }, heldBytes);
        return store.uploadPart({ key: this.key, uploadId: id, partNumber, body }, signal);
      }
      const body = await content.lend(offset, length, signal);
      let isSent = false;
      try {
        const uploaded = await store.uploadPart(
          { key: this.key, uploadId: id, partNumber, body: body.pieces },
          signal,
        );
        isSent = true;
        return uploaded;
      } finally {
        body.release(isSent);
      }
    });
  }

  /** Sends parts with consecutive numbers. If one fails, the others are aborted. */
  async sendAll(
    firstNumber: number,
    parts: readonly PlannedPart[],
    signal: AbortSignal,
  ): Promise<UploadedPart[]> {
    const numbered = parts.map((part, index) => ({ number: firstNumber + index, part }));
    const limit = this.#services.limiter.maxTasks;
    const sent = await mapLimited(numbered, { limit, signal }, (part, partSignal) =>
      this.send(part, partSignal),
    );
    return sent.filter((part) => part !== undefined);
  }

  async complete(
    parts: readonly UploadedPart[],
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<WriteReply> {
    const id = await this.begin(signal);
    return this.#services.store.completeUpload({ key: this.key, uploadId: id, parts, condition }, signal);
  }

  /** Never rejects. A failed abort is logged. */
  async abort(): Promise<void> {
    try {
      const id = await this.#id;
      if (id === undefined) return;
      await this.#services.store.abortUpload(
        { key: this.key, uploadId: id },
        AbortSignal.timeout(detachedTimeoutMs),
      );
    } catch (error) {
      this.#services.log.warn({ err: error, key: this.key }, 'an upload may be left in the bucket');
    }
  }
}
