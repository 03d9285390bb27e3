/** Sessions on a device without a kernel, which hands out the requests it is given and keeps the answers. */
import { FsError } from '../../src/errors.js';
import type { AccessRequest, Call } from '../../src/file-system.js';
import type { SendOutcome } from '../../src/fuse/device.js';
import { Session, type RequestChannel, type SessionLimits } from '../../src/fuse/session.js';
import type { Log } from '../../src/log.js';
import { MemoryFileSystem } from './memory-file-system.js';

interface Answer {
  readonly unique: number;
  readonly errno: number;
  readonly body: Buffer;
}

export class FakeChannel implements RequestChannel {
  readonly answers: Answer[] = [];
  /** What the next sends come to. */
  outcome: SendOutcome = 'sent';
  isListening = false;
  isOver = false;
  isClosed = false;
  readonly #requests: Buffer[] = [];
  #onReadable: () => void = () => undefined;

  /** Makes requests arrive. */
  deliver(...requests: Buffer[]): void {
    this.#requests.push(...requests);
    this.turn();
  }

  /** What the event loop does: calls back while there is something and somebody listens. */
  turn(): void {
    while (this.isListening && (this.#requests.length > 0 || this.isOver)) this.#onReadable();
  }

  get waitingCount(): number {
    return this.#requests.length;
  }

  answerTo(unique: number): Answer | undefined {
    return this.answers.find((answer) => answer.unique === unique);
  }

  listen(onReadable: () => void): void {
    this.#onReadable = onReadable;
    this.isListening = true;
  }

  pause(): void {
    this.isListening = false;
  }

  receive(buffer: Buffer): number | 'over' {
    const request = this.#requests.shift();
    if (request === undefined) return this.isOver ? 'over' : 0;
    return request.copy(buffer);
  }

  send(head: Buffer, pieces: readonly Uint8Array[] | undefined): SendOutcome {
    if (this.outcome !== 'sent') return this.outcome;
    const message = Buffer.concat([head, ...(pieces ?? [])]);
    if (message.readUInt32LE(0) !== message.length) throw new Error('the length is wrong');
    this.answers.push({
      unique: Number(message.readBigUInt64LE(8)),
      errno: 0 - message.readInt32LE(4),
      body: message.subarray(16),
    });
    return 'sent';
  }

  /** What it is called with is a message to the kernel; tests put another in its place. */
  notify: (message: Buffer) => Promise<void> = () => Promise.resolve();

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

/** A whole request as the kernel would send it. */
export function request(opcode: number, unique: number, inode: number, body: Buffer): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt32LE(header.length + body.length, 0);
  header.writeUInt32LE(opcode, 4);
  header.writeBigUInt64LE(BigInt(unique), 8);
  header.writeBigUInt64LE(BigInt(inode), 16);
  return Buffer.concat([header, body]);
}

/** `fuse_init_in` of a kernel that offers everything. */
export function initRequest(unique: number): Buffer {
  const body = Buffer.alloc(64);
  body.writeUInt32LE(7, 0);
  body.writeUInt32LE(45, 4);
  body.writeUInt32LE(0xffff_ffff, 12);
  return request(26, unique, 0, body);
}

/** `fuse_write_in` and data. */
export function writeRequest(unique: number, inode: number, handle: number, data: Buffer): Buffer {
  const body = Buffer.alloc(40);
  body.writeBigUInt64LE(BigInt(handle), 0);
  body.writeUInt32LE(data.length, 16);
  return request(16, unique, inode, Buffer.concat([body, data]));
}

// Each session listens for the end of the process, and these tests do not end them all.
process.setMaxListeners(100);

export function collectLog(): Log & { readonly errors: string[] } {
  const errors: string[] = [];
  const ignore = () => undefined;
  return {
    errors,
    trace: ignore,
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: (_fields, message) => errors.push(message),
  };
}

/** Lets promises that are ready settle. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export async function startSession(fileSystem = new MemoryFileSystem(), limits?: SessionLimits) {
  const channel = new FakeChannel();
  const log = collectLog();
  const session = new Session(channel, fileSystem, log, limits);
  const serving = session.serve();
  channel.deliver(initRequest(2));
  await serving;
  return { channel, session, fileSystem, log };
}

export function name(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

/** `fuse_read_in` */
export function readBody(handle: number, length: number): Buffer {
  const body = Buffer.alloc(40);
  body.writeBigUInt64LE(BigInt(handle), 0);
  body.writeUInt32LE(length, 16);
  return body;
}

export function interruptBody(unique: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeBigUInt64LE(BigInt(unique));
  return body;
}

/** Its calls wait until their signal aborts, and then reject with `error`. */
export class Waiting extends MemoryFileSystem {
  readonly signals: AbortSignal[] = [];
  error: Error = new FsError('EINTR', 'interrupted');

  override access(_request?: AccessRequest, call?: Call): Promise<void> {
    const signal = call!.signal;
    this.signals.push(signal);
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(this.error)));
  }
}
