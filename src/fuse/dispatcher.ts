/**
 * Works on requests: hands each to its operation and sends the answer, exactly one for each, even if the operation
 * fails. If the kernel no longer wants an answer, what it hands out is taken back, so lookup counts stay exact.
 */
import { FsError } from '../errors.js';
import type { FileSystem, InodeId, KernelCaches } from '../file-system.js';
import type { Log } from '../log.js';
import { CachedInodes } from './cached-inodes.js';
import { makeDeferred, type Deferred } from '../concurrency/deferred.js';
import type { Device } from './device.js';
import { errnoNumber } from './errno.js';
import { FailureLog } from './failure-log.js';
import { Interrupts } from './interrupts.js';
import { Invocation } from './invocation.js';
import type { FuseContext } from './operation.js';
import { isReadOnly, operationFor } from './operations.js';
import { opcodeName, opcodes } from './protocol.js';
import { encodeEmpty, sealReply, type FuseReply } from './reply-encoding.js';
import type { RequestHeader } from './request-decoding.js';
import { SetIdInodes } from './set-id-inodes.js';

/** How long the end waits for aborted requests that only read. */
const abandonTimeoutMs = 10_000;

/** What follows the header of a request. */
interface ReceivedBytes {
  readonly bytes: Buffer;
  /** Whether the bytes stay as they are until the answer. Else they are overwritten when `serve` has returned. */
  readonly isLasting: boolean;
  /** The argument of `onAnswered`. */
  readonly lentBuffer?: Buffer;
}

const noBody: ReceivedBytes = { bytes: Buffer.alloc(0), isLasting: false };

export class Dispatcher {
  readonly #device: Pick<Device, 'send'>;
  readonly #fileSystem: FileSystem;
  readonly #failures: FailureLog;
  readonly #context: FuseContext;
  readonly #setIdInodes = new SetIdInodes();
  readonly #cachedInodes = new CachedInodes();
  readonly #interrupts: Interrupts;
  /** By `unique`: received, and not yet answered. */
  readonly #inFlight = new Map<number, Invocation>();
  readonly #onAnswered: (lentBuffer: Buffer) => void;
  /** Bytes of the writes that are in flight. */
  #waitingWriteBytes = 0;
  #drained: Deferred<undefined> | undefined;

  /** `onAnswered` is called after each answer to a request that came with a lent buffer. */
  constructor(
    device: Pick<Device, 'send'>,
    fileSystem: FileSystem,
    caches: KernelCaches,
    log: Log,
    onAnswered: (lentBuffer: Buffer) => void,
  ) {
    this.#device = device;
    this.#fileSystem = fileSystem;
    this.#failures = new FailureLog(log);
    this.#onAnswered = onAnswered;
    this.#interrupts = new Interrupts((invocation) => this.#inFlight.has(invocation.unique));
    this.#context = {
      fileSystem,
      setIdInodes: this.#setIdInodes,
      cachedInodes: this.#cachedInodes,
      caches,
      reportFailure: (operation, error) =>
        this.#failures.report(operation, error, 'taking back an answer that nobody waits for failed'),
    };
  }

  get inFlightCount(): number {
    return this.#inFlight.size;
  }

  /** In memory, lent buffers counted as what is used of them. */
  get waitingWriteBytes(): number {
    return this.#waitingWriteBytes;
  }

  /** Starts the work. */
  serve(header: RequestHeader, body: ReceivedBytes): void {
    const operation = operationFor(header.opcode);
    if (operation === undefined) {
      this.refuse(header.unique, errnoNumber('ENOSYS'));
      return;
    }
    const invocation = new Invocation(header);
    this.#inFlight.set(invocation.unique, invocation);
    if (header.opcode === opcodes.write) this.#waitingWriteBytes += body.bytes.length;
    try {
      const { bytes, isLasting } = body;
      const request = { inode: header.inode, body: bytes, isBodyLasting: isLasting };
      const reply = operation(this.#context, request, invocation);
      if (reply instanceof Promise) {
        reply.then(
          (settled) => this.#succeed(invocation, settled, body),
          (error: unknown) => this.#fail(invocation, error, body),
        );
      } else {
        this.#succeed(invocation, reply, body);
      }
    } catch (error) {
      this.#fail(invocation, error, body);
    }
  }

  /** Aborts a request when its caller should stop; false if it is unknown, or answered already. */
  interrupt(unique: number): boolean {
    const invocation = this.#inFlight.get(unique);
    if (invocation === undefined) return false;
    void this.#interrupts.watch(invocation);
    return true;
  }

  forget(inode: InodeId, count: number): void {
    this.#setIdInodes.forget(inode);
    this.#cachedInodes.forget(inode);
    try {
      this.#fileSystem.forget(inode, count);
    } catch (error) {
      this.#failures.report('forget', error, 'the file system failed where it must not');
    }
  }

  /** Answers a request for which there is no memory because too many others wait. */
  refuseForMemory({ unique, opcode }: RequestHeader): void {
    const error = new Error(`${this.inFlightCount} requests wait for their answers`);
    this.#failures.report(opcodeName(opcode), error, 'a request was refused, since too many wait');
    this.refuse(unique, errnoNumber('ENOMEM'));
  }

  /** Answers a request with an error. */
  refuse(unique: number, errno: number): void {
    const { head } = encodeEmpty();
    sealReply(head, unique, errno, head.length);
    const outcome = this.#device.send(head, undefined);
    if (typeof outcome === 'object') {
      this.#failures.report('reply', outcome.error, 'the kernel did not take an error');
    }
  }

  /** Answers everything with EIO: the process is about to end, and programs wait in the kernel. */
  abandonAll(): void {
    for (const unique of this.#inFlight.keys()) this.refuse(unique, errnoNumber('EIO'));
    this.#inFlight.clear();
  }

  /** Resolves when all changing requests that are under way now are answered. Later ones do not count. */
  async settled(): Promise<void> {
    const changes = [...this.#inFlight.values()].filter(({ opcode }) => !isReadOnly(opcode));
    await Promise.all(changes.map(({ done }) => done));
  }

  /**
   * Resolves when nothing is in flight. Requests that only read are aborted and awaited for a short time; requests
   * that change something are awaited as long as they take.
   */
  async drain(): Promise<void> {
    for (const invocation of this.#inFlight.values()) {
      if (isReadOnly(invocation.opcode)) invocation.abort();
    }
    if (this.#inFlight.size === 0) return;
    const timer = setTimeout(() => {
      for (const invocation of this.#inFlight.values()) {
        if (isReadOnly(invocation.opcode)) this.#settle(invocation, noBody);
      }
    }, abandonTimeoutMs);
    this.#drained = makeDeferred();
    await this.#drained.promise;
    clearTimeout(timer);
  }

  #succeed(invocation: Invocation, reply: FuseReply, body: ReceivedBytes): void {
    const { head, pieces, undo } = reply;
    let length = head.length;
    if (pieces !== undefined) for (const piece of pieces) length += piece.length;
    sealReply(head, invocation.unique, 0, length);
    const outcome = this.#device.send(head, pieces);
    if (outcome !== 'sent') {
      if (typeof outcome === 'object') {
        const operation = opcodeName(invocation.opcode);
        this.#failures.report(operation, outcome.error, 'the kernel did not take an answer');
        this.refuse(invocation.unique, errnoNumber('EIO'));
      }
      if (undo !== undefined) this.#undo(undo);
    }
    this.#settle(invocation, body);
  }

  #fail(invocation: Invocation, error: unknown, body: ReceivedBytes): void {
    this.refuse(invocation.unique, this.#classify(invocation, error));
    this.#settle(invocation, body);
  }

  #classify(invocation: Invocation, error: unknown): number {
    // Programs ask again at EINTR, or take it for a signal of their own: only an interrupted caller may get it.
    const isInterruption = error instanceof FsError && error.code === 'EINTR';
    if (error instanceof FsError && !isInterruption) {
      this.#failures.reportAnswer(opcodeName(invocation.opcode), error);
      return errnoNumber(error.code);
    }
    if (invocation.isAborted) return errnoNumber('EINTR');
    this.#failures.report(opcodeName(invocation.opcode), error, 'an operation failed for no reason known');
    return errnoNumber('EIO');
  }

  #undo(undo: () => void): void {
    try {
      undo();
    } catch (error) {
      this.#context.reportFailure('undo', error);
    }
  }

  #settle(invocation: Invocation, { bytes, lentBuffer }: ReceivedBytes): void {
    this.#inFlight.delete(invocation.unique);
    if (invocation.opcode === opcodes.write) this.#waitingWriteBytes -= bytes.length;
    invocation.answered();
    if (this.#inFlight.size === 0) this.#drained?.resolve(undefined);
    if (lentBuffer !== undefined) this.#onAnswered(lentBuffer);
  }
}
