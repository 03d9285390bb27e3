/**
 * Staged bytes that do not fit into memory, on disk: one file without a name, encrypted under a random key that only this process
 * has. `spiller.ts` decides which bytes go there, and when.
 */
import { createDecipheriv, randomBytes } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { FsError } from '../errors.js';
import type { Log } from '../log.js';
import { encryptInThread } from './cipher-thread.js';
import { SlotAllocator, type Slot } from './slot-allocator.js';

interface SpillFileOptions {
  readonly directory: string;
  /** The file never gets longer. */
  readonly limitBytes: number;
  /** The smallest slot. */
  readonly unitBytes: number;
  /** The largest slot: `unitBytes` times a power of two. */
  readonly maxSlotBytes: number;
  readonly log: Log;
  /** Monotonic. Default: `performance.now`. */
  readonly now?: () => number;
  /** Default: a file without a name in the directory. */
  readonly createFile?: (directory: string) => Promise<FileHandle>;
}

/** A range of the file that holds one encrypted piece. */
export class SpillSlot {
  readonly slot: Slot;
  /** The number of the write, so that no key stream is used twice. 0 until it is written. */
  nonce = 0n;
  reads = 0;
  isWritten = false;
  isReleased = false;

  constructor(slot: Slot) {
    this.slot = slot;
  }
}

const cipherBlockBytes = 16;
/** Each try on a full disk costs the encryption of a chunk. */
const fullRetryMs = 1000;

export class SpillFile {
  readonly #directory: string;
  readonly #allocator: SlotAllocator;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #createFile: (directory: string) => Promise<FileHandle>;
  readonly #key = randomBytes(32);
  readonly #maxSlotBytes: number;
  /** For ciphertext on its way to the disk. There are as many as there were writes at once. */
  readonly #buffers: Uint8Array[] = [];
  #lastNonce = 0n;
  #file: Promise<FileHandle> | undefined;
  /**
   * The disk had no room. It is tried again at this time, because others may have made room, or when a written slot is released.
   */
  #fullUntilMs = 0;
  /** The full disk is in the log, and nothing could be written since. */
  #isFullLogged = false;
  /** The disk failed. Nothing more is written to it. */
  #isBroken = false;
  #isStopped = false;
  /** Resolves when the file, after its last slot was released, is short again. */
  #shortened: Promise<void> = Promise.resolve();

  constructor({ directory, limitBytes, unitBytes, maxSlotBytes, log, ...options }: SpillFileOptions) {
    this.#directory = directory;
    this.#maxSlotBytes = maxSlotBytes;
    this.#allocator = new SlotAllocator(unitBytes, maxSlotBytes, limitBytes);
    this.#log = log;
    this.#now = options.now ?? (() => performance.now());
    this.#createFile = options.createFile ?? createNamelessFile;
  }

  /** The bytes of all slots in use. */
  get allocatedBytes(): number {
    return this.#allocator.allocatedBytes;
  }

  /** Undefined if there is no room for `length` bytes. */
  reserve(length: number): SpillSlot | undefined {
    if (this.#now() < this.#fullUntilMs || this.#isBroken || this.#isStopped) return undefined;
    const slot = this.#allocator.allocate(length);
    return slot && new SpillSlot(slot);
  }

  /**
   * Writes a copy of `bytes`, made when it is called. Resolves with false if the disk did not take them. The caller releases the
   * slot in any case.
   */
  async write(slot: SpillSlot, bytes: Uint8Array): Promise<boolean> {
    this.#lastNonce += 1n;
    slot.nonce = this.#lastNonce;
    const counter = counterBlock(slot.nonce, 0);
    const buffer = this.#buffers.pop() ?? new Uint8Array(new SharedArrayBuffer(this.#maxSlotBytes));
    const encrypted = buffer.subarray(0, bytes.length);
    encrypted.set(bytes);
    try {
      await encryptInThread(this.#key, counter, encrypted);
      await this.#shortened;
      const file = await this.#open();
      for (let written = 0; written < encrypted.length;) {
        const left = encrypted.length - written;
        const { bytesWritten } = await file.write(encrypted, written, left, slot.slot.position + written);
        written += bytesWritten;
      }
      slot.isWritten = true;
      this.#isFullLogged = false;
      return true;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'ENOSPC' || code === 'EDQUOT') {
        this.#fullUntilMs = this.#now() + fullRetryMs;
        if (!this.#isFullLogged) {
          this.#log.warn({ directory: this.#directory, code }, 'no room on the disk for staged data');
        }
        this.#isFullLogged = true;
      } else if (!this.#isStopped) {
        this.#isBroken = true;
        this.#log.error({ err: error, directory: this.#directory }, 'staged data cannot be spilled to disk');
      }
      return false;
    } finally {
      this.#buffers.push(buffer);
    }
  }

  /** Rejects with an FsError of code EIO if the disk does not give the bytes back. */
  async read(slot: SpillSlot, offset: number, length: number): Promise<Buffer> {
    const { position } = slot.slot;
    const skipped = offset % cipherBlockBytes;
    const encrypted = Buffer.allocUnsafeSlow(skipped + length);
    slot.reads += 1;
    try {
      const file = await this.#open();
      for (let filled = 0; filled < encrypted.length;) {
        const at = position + offset - skipped + filled;
        const { bytesRead } = await file.read(encrypted, filled, encrypted.length - filled, at);
        if (bytesRead === 0) throw new Error('the spill file is too short');
        filled += bytesRead;
      }
    } catch (error) {
      throw new FsError('EIO', `${this.#directory}: staged data cannot be read back`, { cause: error });
    } finally {
      slot.reads -= 1;
      if (slot.isReleased) this.#free(slot);
    }
    const firstBlock = (offset - skipped) / cipherBlockBytes;
    const decipher = createDecipheriv('aes-256-ctr', this.#key, counterBlock(slot.nonce, firstBlock));
    return decipher.update(encrypted).subarray(skipped);
  }

  /** Reads under way still get their bytes. */
  release(slot: SpillSlot): void {
    slot.isReleased = true;
    this.#free(slot);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#shortened;
    const file = await this.#file?.catch(() => undefined);
    this.#file = undefined;
    await file?.close();
  }

  #free(slot: SpillSlot): void {
    if (slot.reads > 0) return;
    this.#allocator.free(slot.slot);
    if (slot.isWritten) this.#fullUntilMs = 0;
    if (this.#allocator.allocatedBytes === 0) this.#shorten();
  }

  /** Gives the disk its room back. Writes wait for it. Nothing is left to read. */
  #shorten(): void {
    const { endBytes } = this.#allocator;
    this.#allocator.reset();
    if (endBytes === 0 || !this.#file || this.#isStopped) return;
    const previous = this.#shortened;
    const file = this.#file;
    this.#shortened = (async () => {
      await previous;
      try {
        // Slots that were reserved since are not written yet: writes wait.
        await (await file).truncate(0);
      } catch (error) {
        this.#log.debug({ err: error }, 'the spill file stays long');
      }
    })();
  }

  #open(): Promise<FileHandle> {
    if (this.#isStopped) return Promise.reject(new Error('the spill file is closed'));
    this.#file ??= this.#createFile(this.#directory);
    return this.#file;
  }
}

/** The name is gone before the first byte is written. */
async function createNamelessFile(directory: string): Promise<FileHandle> {
  const name = path.join(directory, `.osirisfs-spill-${randomBytes(12).toString('hex')}`);
  const file = await open(name, 'wx+', 0o600);
  try {
    await unlink(name);
  } catch (error) {
    await file.close();
    throw error;
  }
  return file;
}

/** The number of the write and the number of the 16-byte block in it. Together they are unique under this key. */
function counterBlock(nonce: bigint, block: number): Buffer {
  const counter = Buffer.alloc(cipherBlockBytes);
  counter.writeBigUInt64BE(nonce, 0);
  counter.writeBigUInt64BE(BigInt(block), 8);
  return counter;
}
