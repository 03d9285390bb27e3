/** The body of a reply as it arrives: in one buffer, or in several that can be let go of one by one. */

/** Bodies that do not say their length are documents of errors. */
const maxUnannouncedBytes = 64 * 1024;

/** Where the memory of pieces comes from, and how long each is but the last. */
export interface PieceMemory {
  readonly bytes: number;
  take(length: number): Uint8Array;
}

/** Memory that holds nothing else. */
export function allocate(length: number): Uint8Array {
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

  /** Copies. Of an announced body there is no more than announced. */
  add(source: Buffer, offset: number, length: number): void {
    const end = offset + length;
    if (this.#announced === undefined) {
      if (this.#length < maxUnannouncedBytes) this.pieces.push(Buffer.from(source.subarray(offset, end)));
      this.#length += length;
      return;
    }
    const { bytes } = this.#memory;
    for (let at = offset; at < end && this.#length < this.#announced;) {
      const filled = this.#length % bytes;
      if (filled === 0) this.pieces.push(this.#memory.take(Math.min(bytes, this.#announced - this.#length)));
      const piece = this.pieces.at(-1);
      if (!piece) return;
      const copied = source.copy(piece, filled, at, end);
      at += copied;
      this.#length += copied;
    }
  }

  toString(): string {
    return Buffer.concat(this.pieces).toString('utf8');
  }
}
