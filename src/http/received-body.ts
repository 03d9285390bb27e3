/** The body of a reply as it arrives: in one buffer, or in several that can be let go of one by one. */

import type { PieceMemory } from '../piece-memory.js';

/** The most for replies about errors and changes, whose length no request limits. */
export const maxDocumentBytes = 64 * 1024;

/** The caller's memory, which holds nothing else. */
function allocate(length: number): Uint8Array {
  return Buffer.allocUnsafeSlow(length);
}

export class ReceivedBody {
  /** Each in memory of its own, the last one shorter; none if the body is empty. Complete when the reply is. */
  readonly pieces: Uint8Array[] = [];
  /** Undefined if it was not announced. */
  readonly #announced: number | undefined;
  readonly #memory: PieceMemory;
  #length = 0;

  /** `announced`: its length, if that is known. `memory` undefined: one piece. */
  constructor(announced: number | undefined, memory: PieceMemory | undefined) {
    this.#announced = announced;
    this.#memory = memory ?? { bytes: Math.max(1, announced ?? 0), take: allocate };
  }

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** Whether there is all that was announced. */
  get isWhole(): boolean {
    return this.#length === this.#announced;
  }

  /** Where the next bytes of an announced body belong, as far as they are in one piece; undefined once it is whole. */
  room(): Uint8Array | undefined {
    if (this.#announced === undefined || this.#length >= this.#announced) return undefined;
    const { bytes } = this.#memory;
    const filled = this.#length % bytes;
    if (this.#length === this.pieces.length * bytes) {
      this.pieces.push(this.#memory.take(Math.min(bytes, this.#announced - this.#length)));
    }
    const piece = this.pieces.at(-1);
    // Not a Buffer: one view is made for each TLS record, and this is the cheapest.
    return piece && new Uint8Array(piece.buffer, piece.byteOffset + filled, piece.length - filled);
  }

  /** Notes that so many bytes were put into `room`. */
  advance(length: number): void {
    this.#length += length;
  }

  /** Copies bytes into the body. Returns how many: no more than announced, or than the limit for documents. */
  add(source: Uint8Array): number {
    if (this.#announced === undefined) {
      const taken = source.subarray(0, maxDocumentBytes - this.#length);
      this.pieces.push(Buffer.from(taken));
      this.#length += taken.length;
      return taken.length;
    }
    let taken = 0;
    for (let room = this.room(); room && taken < source.length; room = this.room()) {
      const part = source.subarray(taken, taken + room.length);
      room.set(part);
      this.advance(part.length);
      taken += part.length;
    }
    return taken;
  }

  toString(): string {
    return Buffer.concat(this.pieces).toString('utf8');
  }
}
