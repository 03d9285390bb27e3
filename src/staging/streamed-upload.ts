/**
 * The upload of a file that is still being written. Full parts are sent in the background, from the beginning on. Parts that
 * change later are sent again when the upload is completed. It does not use the file's lock.
 */
import { StoreError } from '../errors.js';
import type { UploadedPart, WriteCondition, WriteReply } from '../object-store.js';
import { abortable, settleAll, withLinkedController } from '../concurrency/abortable.js';
import { forEachLimited } from '../concurrency/for-each-limited.js';
import { MultipartUpload, type UploadServices, type UploadSignals } from './multipart-upload.js';
import type { StoreTarget } from './placement.js';
import type { PartsAround } from './stream-plan.js';
import type { PlannedPart } from './upload-plan.js';

/**
 * `failed` and `stale` parts are dirty again, and are sent when the upload is completed. `stale`: changed after its request
 * began; the result of that request does not matter.
 */
type PartState = 'waiting' | 'sending' | 'sent' | 'failed' | 'stale';

interface StreamedPart {
  readonly number: number;
  readonly offset: number;
  readonly length: number;
  state: PartState;
  uploaded: UploadedPart | undefined;
}

interface StreamedUploadOptions {
  readonly services: UploadServices;
  readonly target: StoreTarget;
  /** Where the first part begins, a multiple of the chunk size. What is before it is planned when the upload is completed. */
  readonly start: number;
  /** How many part numbers are left for that. */
  readonly reservedParts: number;
  /** The length of a part: a multiple of the chunk size, so that a chunk belongs to one part. */
  readonly partBytes: (partNumber: number) => number;
}

/** The rules by which servers abort old uploads count in days. */
const trustedMs = 3_600_000;

export class StreamedUpload {
  readonly #upload: MultipartUpload;
  readonly #services: UploadServices;
  readonly #partBytes: (partNumber: number) => number;
  /** See `StreamedUploadOptions`. */
  readonly start: number;
  readonly reservedParts: number;
  /** Contiguous from the start to the frontier, with consecutive numbers after the reserved ones. */
  readonly #parts: StreamedPart[] = [];
  #frontier: number;
  readonly #controller = new AbortController();
  /** Part number → the last request for it. Two requests at once could overtake each other. Never reject. */
  readonly #tasks = new Map<number, Promise<void>>();
  /**
   * The error of a part in the background. While there is one, only one part at a time is tried, to see whether the store works
   * again.
   */
  #failure: unknown;
  #nextTryAt = 0;
  readonly #begunAtMs: number;

  constructor({ services, target, start, reservedParts, partBytes }: StreamedUploadOptions) {
    this.#services = services;
    this.#begunAtMs = services.clock.monotonicMs();
    this.start = start;
    this.#frontier = start;
    this.reservedParts = reservedParts;
    this.#upload = new MultipartUpload(services, target.key, target.headers);
    this.#partBytes = partBytes;
  }

  get key(): string {
    return this.#upload.key;
  }

  get headers(): StoreTarget['headers'] {
    return this.#upload.headers;
  }

  /** What is before it belongs to a part, from the start on. */
  get frontier(): number {
    return this.#frontier;
  }

  get partCount(): number {
    return this.#parts.length;
  }

  /** The number of the first part behind the frontier. */
  get nextPartNumber(): number {
    return this.reservedParts + this.#parts.length + 1;
  }

  /** The error that keeps the background from going on, if there is one. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Whether the server has a part that would not be in the object. Ceph does not complete the upload then. */
  hasOthers(headCount: number, tailCount: number): boolean {
    const end = this.nextPartNumber + tailCount;
    return this.#upload.hasOthers(
      (number) => number <= headCount || (number > this.reservedParts && number < end),
    );
  }

  /** Whether the server would have such a part after the file is cut at `size`. */
  hasOthersIfCut(size: number): boolean {
    const kept = this.#parts.filter(({ offset, length }) => offset + length <= size);
    const last = kept.at(-1);
    const needsTail = size > (last ? last.offset + last.length : this.start);
    return this.#upload.lastSentNumber > this.reservedParts + kept.length + (needsTail ? 1 : 0);
  }

  /**
   * Whether the bytes at `offset`, once they are sent, will hardly be needed here, because the file is written from beginning to
   * end. Programs that write a length or an index into a header at the end do so in the first part.
   */
  isExpendable(offset: number): boolean {
    const [first] = this.#parts;
    const isHeader = first === undefined || offset < first.offset + first.length;
    return !isHeader && this.#services.clock.monotonicMs() - this.#begunAtMs < trustedMs;
  }

  /** Sends the parts that are full now. Everything from the frontier to `stagedEnd` is staged. */
  advance(stagedEnd: number): void {
    if (this.#failure !== undefined) {
      if (stagedEnd >= this.#nextTryAt) this.#tryAgain(stagedEnd);
      return;
    }
    // The last number is for what follows the frontier at the end.
    while (this.nextPartNumber < this.#services.store.limits.maxParts) {
      const number = this.nextPartNumber;
      const length = this.#partBytes(number);
      if (this.#frontier + length > stagedEnd) return;
      const part: StreamedPart = {
        number,
        offset: this.#frontier,
        length,
        state: 'waiting',
        uploaded: undefined,
      };
      this.#parts.push(part);
      this.#frontier += length;
      this.#launch(part);
      if (number === this.#upload.lastSentNumber) this.#keepOnServer();
    }
  }

  /** The range of all parts that have a byte of [offset, offset + length). */
  spanOf(offset: number, length: number): { readonly offset: number; readonly length: number } {
    const parts = this.#overlapping(offset, length);
    const first = parts[0];
    const last = parts.at(-1);
    return first && last
      ? { offset: first.offset, length: last.offset + last.length - first.offset }
      : { offset, length: 0 };
  }

  /** [offset, offset + length) is about to change. Returns whether a part has a byte of it. */
  touch(offset: number, length: number): boolean {
    const touched = this.#overlapping(offset, length);
    for (const part of touched) this.#giveUp(part, 'stale');
    return touched.length > 0;
  }

  /** The file ends at `size`, before the frontier. Parts that reach further are dropped. */
  cut(size: number): void {
    for (let last = this.#parts.at(-1); last && last.offset + last.length > size; last = this.#parts.at(-1)) {
      this.#giveUp(last, 'stale');
      this.#parts.pop();
      this.#frontier = last.offset;
    }
    this.#keepOnServer();
  }

  /**
   * Sends what is missing (`head` before the start, the parts up to the frontier, `tail` after it) and completes the upload.
   * After a failure it may be called again.
   */
  async complete(
    { head, tail }: PartsAround,
    condition: WriteCondition,
    { signal, finalSignal }: UploadSignals,
  ): Promise<WriteReply> {
    const parts = await withLinkedController([signal, this.#controller.signal], async (controller) => {
      const orAbort = async <T>(work: Promise<T>): Promise<T> => {
        try {
          return await work;
        } catch (error) {
          controller.abort();
          throw error;
        }
      };
      const sent = await settleAll([
        orAbort(this.#upload.sendAll(1, head, controller.signal)),
        orAbort(this.#sendMissing(controller.signal)),
        orAbort(this.#sendTail(tail, controller.signal)),
      ]);
      return sent.flat();
    });
    return this.#upload.complete(parts, condition, finalSignal);
  }

  /** Never rejects. Nothing more is sent when this returns. Resolves when the parts are freed. */
  async abort(): Promise<void> {
    this.#controller.abort();
    for (const part of this.#parts) this.#giveUp(part, 'stale');
    await Promise.all(this.#tasks.values());
    await this.#upload.abort();
  }

  #overlapping(offset: number, length: number): StreamedPart[] {
    if (offset >= this.#frontier) return [];
    return this.#parts.filter((part) => part.offset < offset + length && offset < part.offset + part.length);
  }

  /** Whether each part that the server has is one of these. If not, the upload may have to be dropped, and all be sent anew. */
  get #isWhole(): boolean {
    return this.#upload.lastSentNumber < this.nextPartNumber;
  }

  /** Marks the sent parts whose bytes need not be kept here. */
  #keepOnServer(): void {
    for (const part of this.#parts) if (part.state === 'sent') this.#keepPartOnServer(part);
  }

  #keepPartOnServer({ offset, length }: StreamedPart): void {
    this.#services.content.setStanding(offset, length, this.#isWhole ? 'sent' : 'dirty');
  }

  #giveUp(part: StreamedPart, state: 'stale' | 'failed'): void {
    part.state = state;
    part.uploaded = undefined;
    this.#services.content.setStanding(part.offset, part.length, 'dirty');
  }

  #launch(part: StreamedPart): void {
    this.#services.content.setStanding(part.offset, part.length, 'queued');
    const earlier = this.#tasks.get(part.number);
    const task = this.#sendInBackground(part, earlier).finally(() => {
      if (this.#tasks.get(part.number) === task) this.#tasks.delete(part.number);
    });
    this.#tasks.set(part.number, task);
  }

  async #sendInBackground(part: StreamedPart, earlier: Promise<void> | undefined): Promise<void> {
    try {
      await earlier;
      await this.#send(part, this.#controller.signal);
      if (part.state === 'sent' && this.#failure !== undefined) this.#resume();
    } catch (error) {
      // A part that was changed since may be refused, and an aborted upload is no failure.
      if (part.state !== 'sending' && part.state !== 'waiting') return;
      this.#giveUp(part, 'failed');
      if (this.#failure === undefined) {
        const { log } = this.#services;
        log.warn({ err: error, key: this.key, part: part.number }, 'a part could not be uploaded yet');
        this.#nextTryAt = this.#frontier + this.#partBytes(this.nextPartNumber);
      }
      this.#failure = error;
    }
  }

  async #send(part: StreamedPart, signal: AbortSignal): Promise<void> {
    const { number, offset, length } = part;
    const isWanted = () => {
      if (part.state !== 'waiting') return false;
      part.state = 'sending';
      return true;
    };
    const planned = { offset, length, copyFrom: undefined };
    const uploaded = await this.#upload.send({ number, part: planned, isWanted }, signal);
    if (stateOf(part) !== 'sending') return;
    part.state = 'sent';
    part.uploaded = uploaded;
    this.#keepPartOnServer(part);
  }

  /** Tries one failed part, to see whether the store works again. */
  #tryAgain(stagedEnd: number): void {
    this.#nextTryAt = stagedEnd + this.#partBytes(this.nextPartNumber);
    const isTrying = this.#parts.some(({ state }) => state === 'waiting' || state === 'sending');
    const part = this.#parts.find(({ state }) => state === 'failed');
    if (isTrying) return;
    if (part) {
      part.state = 'waiting';
      this.#launch(part);
    } else {
      // The failed part was changed or cut off since. The next part will tell.
      this.#failure = undefined;
    }
  }

  #resume(): void {
    this.#failure = undefined;
    for (const part of this.#parts.filter(({ state }) => state === 'failed')) {
      part.state = 'waiting';
      this.#launch(part);
    }
  }

  /** Requests for parts that were cut off may still be on their way, under the numbers that the tail has now. */
  async #sendTail(tail: readonly PlannedPart[], signal: AbortSignal): Promise<UploadedPart[]> {
    const first = this.nextPartNumber;
    const cutOff = [...this.#tasks].filter(([number]) => number >= first).map(([, task]) => task);
    if (cutOff.length > 0) await abortable(Promise.all(cutOff), signal, `upload of ${this.key}`);
    return await this.#upload.sendAll(first, tail, signal);
  }

  async #sendMissing(signal: AbortSignal): Promise<UploadedPart[]> {
    // A task that succeeds may begin others. They are waited for as well: two requests for one part must not meet.
    while (this.#tasks.size > 0) {
      await abortable(Promise.all(this.#tasks.values()), signal, `upload of ${this.key}`);
    }
    const missing = this.#parts.filter(({ state }) => state !== 'sent');
    const limit = this.#services.limiter.maxTasks;
    await forEachLimited(missing, { limit, signal }, async (part, partSignal) => {
      part.state = 'waiting';
      try {
        await this.#send(part, partSignal);
      } catch (error) {
        if (stateOf(part) !== 'stale') this.#giveUp(part, 'failed');
        throw error;
      }
    });
    this.#failure = undefined;
    return this.#parts.map(({ number, uploaded }) => {
      if (!uploaded) throw new StoreError('Aborted', `part ${number} of ${this.key} was not sent`);
      return uploaded;
    });
  }
}

/** The state may have changed during a request, which the compiler does not see. */
function stateOf(part: StreamedPart): PartState {
  return part.state;
}
