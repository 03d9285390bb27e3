/**
 * Serves one mount: receives requests in order, answers INIT, FORGET and INTERRUPT, and gives everything else to the
 * dispatcher. `fusermount.ts` opens the device.
 */
import { constants } from 'node:os';
import type { FileSystem } from '../file-system.js';
import type { Log } from '../log.js';
import { makeDeferred } from '../concurrency/deferred.js';
import type { Device } from './device.js';
import { Dispatcher } from './dispatcher.js';
import { MountError } from './driver.js';
import { errnoNumber } from './errno.js';
import { KernelCacheDropper } from './kernel-cache-dropper.js';
import { negotiate } from './negotiation.js';
import { opcodes, requestHeaderSize } from './protocol.js';
import { sealReply } from './reply-encoding.js';
import { RequestBuffers } from './request-buffers.js';
import { decodeBatchForget, decodeHeader, type RequestHeader } from './request-decoding.js';
import { readUint64 } from './wire.js';

/** After this many requests other events (the network) get their turn. */
const maxRequestsPerTurn = 32;

/**
 * How much may wait for an answer at once. More is refused (ENOMEM) and not left in the kernel: requests that need no server, forgets
 * and interrupts would wait behind it, and without interrupts no waiting program can be ended.
 */
export interface SessionLimits {
  /** Requests, each of about 1 KiB beside the data of writes. Each belongs to a thread, or to background work of the kernel. */
  readonly requests: number;
  /** Bytes of all waiting writes: no more than the waiting programs hold themselves. */
  readonly writeBytes: number;
}

const defaultLimits: SessionLimits = { requests: 65_536, writeBytes: 512 << 20 };

/** These need no server and free memory: always served. */
const servedAlways = new Set<number>([opcodes.statistics, opcodes.release, opcodes.releaseDirectory]);

/** While the process ends, requests are answered until none came for this time, or until the limit. */
const quietMs = 300;
const maxLeavingMs = 5000;
const pauseMs = 5;

/** Writes of no more than this are copied if they have to wait, so that many small ones do not hold a buffer of 1 MiB each. */
const maxCopiedWriteBytes = 64 << 10;

/** What a session uses of a `Device`. */
export type RequestChannel = Pick<Device, 'listen' | 'pause' | 'receive' | 'send' | 'notify' | 'close'>;

export class Session {
  readonly #device: RequestChannel;
  readonly #fileSystem: FileSystem;
  readonly #log: Log;
  readonly #dispatcher: Dispatcher;
  readonly #caches: KernelCacheDropper;
  readonly #buffers = new RequestBuffers();
  readonly #initialized = makeDeferred<undefined>();
  readonly #disconnected = makeDeferred<Error | undefined>();
  readonly #onExit = () => this.#leaveNobodyWaiting();
  #state: 'new' | 'initialized' | 'over' = 'new';
  #hasStarted = false;
  readonly #limits: SessionLimits;

  constructor(device: RequestChannel, fileSystem: FileSystem, log: Log, limits = defaultLimits) {
    this.#device = device;
    this.#limits = limits;
    this.#fileSystem = fileSystem;
    this.#log = log;
    this.#caches = new KernelCacheDropper(device, log);
    this.#dispatcher = new Dispatcher(device, fileSystem, this.#caches, log, (lentBuffer) =>
      this.#buffers.giveBack(lentBuffer),
    );
  }

  /**
   * Starts serving. Resolves when the kernel has accepted our answer to INIT; `fileSystem.start` was called then.
   * Rejects with a MountError if that cannot be.
   */
  serve(): Promise<void> {
    process.on('exit', this.#onExit);
    this.#listen();
    return this.#initialized.promise;
  }

  /** Resolves when the kernel has released the device, with the error if the device failed. */
  get disconnected(): Promise<Error | undefined> {
    return this.#disconnected.promise;
  }

  /** Whether `disconnected` has been resolved. */
  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** As of the dispatcher. */
  async settled(): Promise<void> {
    await this.#dispatcher.settled();
  }

  /** Call it after `disconnected`: waits for the work under way, then closes the device. */
  async close(): Promise<void> {
    await this.#dispatcher.drain();
    await this.#caches.close();
    await this.#device.close();
    process.off('exit', this.#onExit);
  }

  /** Whether `fileSystem.start` was called, so that `stop` must be. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  #listen(): void {
    this.#device.listen(() => this.#receive());
  }

  #receive(): void {
    try {
      for (let count = 0; count < maxRequestsPerTurn; count++) {
        const buffer = this.#buffers.take();
        const received = this.#device.receive(buffer);
        if (typeof received === 'number' && received > 0) {
          this.#handle(buffer, received);
          continue;
        }
        this.#buffers.giveBack(buffer);
        if (received === 'over') this.#disconnect(undefined);
        return;
      }
    } catch (error) {
      this.#log.error({ err: error }, 'serving the mount failed');
      this.#disconnect(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #handle(buffer: Buffer, length: number): void {
    const header = decodeHeader(buffer);
    if (header.length !== length) throw new Error(`a request of ${header.length} bytes came as ${length}`);
    const body = buffer.subarray(requestHeaderSize, header.bodyEnd);
    const isLargeWrite = header.opcode === opcodes.write && body.length > maxCopiedWriteBytes;
    if (isLargeWrite && this.#buffers.canLend && this.#hasRoomFor(header, body)) {
      this.#dispatcher.serve(header, { bytes: body, isLasting: true, lentBuffer: buffer });
      return;
    }
    this.#handleDecoding(header, body);
    this.#buffers.giveBack(buffer);
  }

  #hasRoomFor({ opcode }: RequestHeader, body: Buffer): boolean {
    if (servedAlways.has(opcode)) return true;
    if (this.#dispatcher.inFlightCount >= this.#limits.requests) return false;
    return (
      opcode !== opcodes.write || this.#dispatcher.waitingWriteBytes + body.length <= this.#limits.writeBytes
    );
  }

  /** Nothing may keep `body` beyond this call. */
  #handleDecoding(header: RequestHeader, body: Buffer): void {
    switch (header.opcode) {
      case opcodes.initialize:
        this.#initialize(header, body);
        break;
      case opcodes.forget:
        this.#dispatcher.forget(header.inode, readUint64(body, 0));
        break;
      case opcodes.batchForget:
        decodeBatchForget(body, (inode, count) => this.#dispatcher.forget(inode, count));
        break;
      case opcodes.interrupt:
        // EAGAIN has the kernel send the interrupt again if the request is still to come (its documentation,
        // filesystems/fuse.rst); it is no longer there if it was answered in the meantime.
        if (!this.#dispatcher.interrupt(readUint64(body, 0))) {
          this.#dispatcher.refuse(header.unique, constants.errno.EAGAIN);
        }
        break;
      case opcodes.destroy:
        this.#dispatcher.refuse(header.unique, 0);
        break;
      default:
        this.#serve(header, body);
    }
  }

  #serve(header: RequestHeader, body: Buffer): void {
    if (!this.#hasRoomFor(header, body)) {
      this.#dispatcher.refuseForMemory(header);
      return;
    }
    const isCopied = header.opcode === opcodes.write && body.length > maxCopiedWriteBytes;
    this.#dispatcher.serve(header, { bytes: isCopied ? Buffer.from(body) : body, isLasting: isCopied });
  }

  #initialize(header: RequestHeader, body: Buffer): void {
    const result = negotiate(body);
    if (result.outcome === 'refused') {
      this.#dispatcher.refuse(header.unique, errnoNumber('EPROTO'));
      this.#initialized.reject(new MountError('ProtocolError', result.reason));
      return;
    }
    if (result.outcome === 'agreed' && !this.#hasStarted) {
      this.#hasStarted = true;
      this.#fileSystem.start(this.#caches);
    }
    sealReply(result.reply, header.unique, 0, result.reply.length);
    const outcome = this.#device.send(result.reply, undefined);
    if (result.outcome === 'retry' && outcome === 'sent') return;
    if (outcome === 'sent') {
      this.#state = 'initialized';
      this.#log.debug({ minor: result.outcome === 'agreed' ? result.minor : 0 }, 'the kernel speaks FUSE');
      this.#initialized.resolve(undefined);
    } else {
      this.#initialized.reject(
        new MountError('MountRefused', 'the kernel did not accept the answer to INIT'),
      );
    }
  }

  #disconnect(reason: Error | undefined): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#device.pause();
    this.#initialized.reject(
      new MountError('MountRefused', 'the mount was gone before it could be served', { cause: reason }),
    );
    this.#disconnected.resolve(reason);
  }

  /**
   * At the end of the process Node waits for its threads; one that drops kernel caches may be waiting for pages whose
   * reads were never answered.
   */
  #leaveNobodyWaiting(): void {
    if (!this.#caches.isBusy) return;
    this.#dispatcher.abandonAll();
    const buffer = this.#buffers.take();
    const pause = new Int32Array(new SharedArrayBuffer(4));
    const endMs = performance.now() + maxLeavingMs;
    let quietFromMs = performance.now();
    // A program whose read failed asks for the single page again, and the thread may wait for that page by then.
    for (let nowMs = quietFromMs; nowMs < Math.min(quietFromMs + quietMs, endMs); nowMs = performance.now()) {
      const received = this.#device.receive(buffer);
      if (received === 'over') return;
      if (received === 0) {
        Atomics.wait(pause, 0, 0, pauseMs);
        continue;
      }
      quietFromMs = nowMs;
      const { opcode, unique } = decodeHeader(buffer);
      if (opcode !== opcodes.forget && opcode !== opcodes.batchForget) {
        this.#dispatcher.refuse(unique, errnoNumber('EIO'));
      }
    }
  }
}
