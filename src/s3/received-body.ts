/** The body of a reply as it arrives: in one buffer, or in several that can be let go of one by one. */

/** Bodies that do not say their length are documents of errors. */
const maxUnannouncedBytes = 64 * 1024;

export class ReceivedBody {
  /** Each in memory of its own, the last one shorter; none if the body is empty. Complete when the reply is. */
  readonly pieces: Buffer[] = [];
  #pieceBytes = 0;
  #length = 0;

  /** `length` undefined: not announced. `pieceBytes` undefined: one piece. */
  constructor(length: number | undefined, pieceBytes: number | undefined) {
    if (length === undefined) return;
    this.#pieceBytes = pieceBytes ?? length;
    for (let offset = 0; offset < length; offset += this.#pieceBytes) {
      this.pieces.push(Buffer.allocUnsafeSlow(Math.min(this.#pieceBytes, length - offset)));
    }
  }

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** Copies. Of an announced body there is no more than announced. */
  add(source: Buffer, offset: number, length: number): void {
    const end = offset + length;
    if (this.#pieceBytes === 0) {
      if (this.#length < maxUnannouncedBytes) this.pieces.push(Buffer.from(source.subarray(offset, end)));
      this.#length += length;
      return;
    }
    for (let at = offset; at < end;) {
      const piece = this.pieces[Math.floor(this.#length / this.#pieceBytes)];
      if (!piece) return;
      const copied = source.copy(piece, this.#length % this.#pieceBytes, at, end);
      at += copied;
      this.#length += copied;
    }
  }

  toString(): string {
    return Buffer.concat(this.pieces).toString('utf8');
  }
}
