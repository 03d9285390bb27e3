/**
 * Tells the kernel to drop what it has cached (FUSE_NOTIFY_INVAL_INODE, FUSE_NOTIFY_INVAL_ENTRY). The file system
 * decides what to drop and when.
 */
import { makeGate } from '../concurrency/deferred.js';
import type { InodeId, KernelCaches } from '../file-system.js';
import type { Log } from '../log.js';
import type { Device } from './device.js';
import * as protocol from './protocol.js';
import { writeUint64 } from './wire.js';

/**
 * Notifications under way at once. Each occupies a thread of libuv's pool (4 by default), for as long as the kernel
 * waits for pages or directories that are in use; the rest of the pool is for name look-ups and files.
 */
const maxUnderWay = 2;

interface Notification {
  readonly key: string;
  readonly message: Buffer;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

export class KernelCacheDropper implements KernelCaches {
  readonly #device: Pick<Device, 'notify'>;
  readonly #log: Log;
  /** Not yet begun, in order. A second request for the same inode or name joins the first. */
  readonly #waiting = new Map<string, Notification>();
  #underWay = 0;
  #isClosed = false;
  #onIdle: (() => void) | undefined;

  constructor(device: Pick<Device, 'notify'>, log: Log) {
    this.#device = device;
    this.#log = log;
  }

  dropInode(inode: InodeId, offset: number, length = 0): Promise<void> {
    return this.#enqueue(`${inode}@${offset}+${length}`, () => encodeInvalidateInode(inode, offset, length));
  }

  dropEntry(parent: InodeId, name: string): Promise<void> {
    return this.#enqueue(`${parent}/${name}`, () => encodeInvalidateEntry(parent, name));
  }

  /** Whether a thread may be waiting in the kernel. */
  get isBusy(): boolean {
    return this.#underWay > 0;
  }

  /** Forgets what has not begun, and resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const notification of this.#waiting.values()) notification.resolve();
    this.#waiting.clear();
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }

  #enqueue(key: string, encode: () => Buffer): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    const same = this.#waiting.get(key);
    if (same !== undefined) return same.promise;
    const { opened: promise, open: resolve } = makeGate();
    this.#waiting.set(key, { key, message: encode(), promise, resolve });
    this.#startNext();
    return promise;
  }

  #startNext(): void {
    while (this.#underWay < maxUnderWay) {
      const [next] = this.#waiting.values();
      if (next === undefined) break;
      this.#waiting.delete(next.key);
      this.#underWay++;
      void this.#send(next);
    }
    if (this.#underWay === 0) this.#onIdle?.();
  }

  async #send(notification: Notification): Promise<void> {
    try {
      await this.#device.notify(notification.message);
    } catch (error) {
      this.#log.debug({ err: error }, 'the kernel did not drop what it was told to');
    }
    this.#underWay--;
    notification.resolve();
    this.#startNext();
  }
}

/** `fuse_notify_inval_inode_out`; a length of 0 reaches to the end of the file. */
export function encodeInvalidateInode(inode: InodeId, offset: number, length = 0): Buffer {
  const message = Buffer.alloc(protocol.replyHeaderSize + 24);
  writeNotificationHeader(message, protocol.notifications.invalidateInode);
  writeUint64(message, inode, 16);
  message.writeBigInt64LE(BigInt(offset), 24);
  message.writeBigInt64LE(BigInt(length), 32);
  return message;
}

/** `fuse_notify_inval_entry_out` and the name with its NUL. */
export function encodeInvalidateEntry(parent: InodeId, name: string): Buffer {
  const nameLength = Buffer.byteLength(name);
  const message = Buffer.alloc(protocol.replyHeaderSize + 16 + nameLength + 1);
  writeNotificationHeader(message, protocol.notifications.invalidateEntry);
  writeUint64(message, parent, 16);
  message.writeUInt32LE(nameLength, 24);
  message.write(name, 32);
  return message;
}

/** `fuse_out_header` with a `unique` of 0: the message is no answer, and `error` says what it is. */
function writeNotificationHeader(message: Buffer, code: number): void {
  message.writeUInt32LE(message.length, 0);
  message.writeInt32LE(code, 4);
}
