/** Where the bytes of a reply go while they arrive: what the reader of them says, from the cache down to the connection. */

export interface PieceMemory {
  /** How long each piece is but the last. */
  readonly bytes: number;
  /** Memory that holds nothing else, so that each piece can be kept for long without the others. */
  take(length: number): Uint8Array;
}
