/**
 * One open `/dev/fuse`: receives requests, sends answers and notifications. It does not look into them. See
 * fuse(4) for what the calls return.
 */
import fs from 'node:fs';
import { constants } from 'node:os';
import type { Libc, ReadinessWatch } from './libc.js';

const { EAGAIN, EINTR, ENOENT, ENODEV, ECONNABORTED } = constants.errno;

/** IOV_MAX of Linux. */
const maxVectorLength = 1024;

/** What became of an answer: 'unwanted' if the request is gone, because it was aborted or the mount is. */
export type SendOutcome = 'sent' | 'unwanted' | { readonly error: unknown };

export class Device {
  readonly #descriptor: number;
  readonly #libc: Libc;
  readonly #watch: ReadinessWatch;
  #isClosed = false;

  /** `descriptor` belongs to the device from now on. */
  constructor(descriptor: number, libc: Libc) {
    this.#descriptor = descriptor;
    this.#libc = libc;
    libc.setNonBlocking(descriptor);
    this.#watch = libc.watch(descriptor);
  }

  /** Calls back whenever there is something to receive, until `pause`. */
  listen(onReadable: () => void): void {
    if (!this.#isClosed) this.#watch.start(onReadable);
  }

  pause(): void {
    this.#watch.stop();
  }

  /**
   * Takes one request into `buffer`, which must have `requestBufferSize`: its length, or 0 if there is none now, or
   * 'over' when the mount is gone. Throws an Error if the device does not work at all.
   */
  receive(buffer: Buffer): number | 'over' {
    for (;;) {
      if (this.#isClosed) return 'over';
      const length = this.#libc.read(this.#descriptor, buffer);
      if (length > 0) return length;
      switch (-length) {
        case EAGAIN:
          return 0;
        case EINTR:
        case ENOENT: // the request was interrupted before it was read
          continue;
        case 0:
        case ENODEV: // unmounted
        case ECONNABORTED: // aborted
          return 'over';
        default:
          throw new Error(`reading /dev/fuse failed with errno ${-length}`);
      }
    }
  }

  /** Sends one answer whole. Does not wait: the kernel takes it at once. */
  send(head: Buffer, pieces: readonly Uint8Array[] | undefined): SendOutcome {
    if (this.#isClosed) return 'unwanted';
    try {
      if (pieces === undefined || pieces.length === 0) fs.writeSync(this.#descriptor, head);
      else if (pieces.length < maxVectorLength) fs.writevSync(this.#descriptor, [head, ...pieces]);
      else fs.writevSync(this.#descriptor, [head, Buffer.concat(pieces)]);
      return 'sent';
    } catch (error) {
      return isGone(error) ? 'unwanted' : { error };
    }
  }

  /** Sends a notification on a thread of its own, since the kernel may make it wait. Does not reject if the inode or entry is gone. */
  notify(message: Buffer): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve, reject) => {
      fs.write(this.#descriptor, message, 0, message.length, null, (error) => {
        if (error === null || isGone(error)) resolve();
        else reject(error);
      });
    });
  }

  /** Idempotent. No notification may be under way: its thread would write to the next file with this number. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch.close();
    await new Promise<void>((resolve) => fs.close(this.#descriptor, () => resolve()));
  }
}

function isGone(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return error.code === 'ENOENT' || error.code === 'ENODEV' || error.code === 'ECONNABORTED';
}
