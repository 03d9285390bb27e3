/**
 * Which ranges of the spill file are taken. It is a buddy allocator: small and large slots share one bounded file, and freed
 * neighbours become a large slot again. Pure bookkeeping.
 */
export interface Slot {
  readonly position: number;
  /** At least as long as asked for: the unit times a power of two. */
  readonly length: number;
}

export class SlotAllocator {
  readonly #unitBytes: number;
  readonly #blockBytes: number;
  readonly #limitBytes: number;
  /** Positions of the free slots of each order. A slot of order n has 2^n units. */
  readonly #free: Set<number>[] = [];
  /** Position → order of the taken slots. */
  readonly #taken = new Map<number, number>();
  #endBytes = 0;
  #allocatedBytes = 0;

  /** `blockBytes`, the largest slot, is `unitBytes` times a power of two. The file grows by it, up to `limitBytes`. */
  constructor(unitBytes: number, blockBytes: number, limitBytes: number) {
    this.#unitBytes = unitBytes;
    this.#blockBytes = blockBytes;
    this.#limitBytes = limitBytes;
    const orders = Math.log2(blockBytes / unitBytes) + 1;
    if (!Number.isInteger(orders)) {
      throw new RangeError(`${blockBytes} is not ${unitBytes} times a power of two`);
    }
    for (let order = 0; order < orders; order++) this.#free.push(new Set());
  }

  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /** How long the file may be now. */
  get endBytes(): number {
    return this.#endBytes;
  }

  /** Undefined if there is no room. */
  allocate(length: number): Slot | undefined {
    if (length > this.#blockBytes) throw new RangeError(`${length} bytes are more than a slot can have`);
    const order = Math.max(0, Math.ceil(Math.log2(length / this.#unitBytes)));
    const position = this.#take(order);
    if (position === undefined) return undefined;
    this.#taken.set(position, order);
    const taken = this.#unitBytes * 2 ** order;
    this.#allocatedBytes += taken;
    return { position, length: taken };
  }

  free({ position }: Slot): void {
    const taken = this.#taken.get(position);
    if (taken === undefined) throw new RangeError(`the slot at ${position} is free already`);
    this.#taken.delete(position);
    this.#allocatedBytes -= this.#unitBytes * 2 ** taken;
    let start = position;
    let order = taken;
    for (; order < this.#free.length - 1; order++) {
      const length = this.#unitBytes * 2 ** order;
      const offsetInBlock = start % this.#blockBytes;
      const buddy = start - offsetInBlock + (offsetInBlock ^ length);
      if (!this.#free[order]?.delete(buddy)) break;
      start = Math.min(start, buddy);
    }
    this.#free[order]?.add(start);
  }

  /** Forgets the file's length. Nothing may be allocated. */
  reset(): void {
    if (this.#taken.size > 0) throw new Error('slots are in use');
    this.#endBytes = 0;
    for (const free of this.#free) free.clear();
  }

  /** For tests. */
  checkInvariants(): void {
    let free = 0;
    for (const [order, positions] of this.#free.entries())
      free += positions.size * this.#unitBytes * 2 ** order;
    if (free + this.#allocatedBytes !== this.#endBytes)
      throw new Error('free and taken do not make up the file');
    if (this.#endBytes > this.#limitBytes) throw new Error('the file is too long');
  }

  #take(order: number): number | undefined {
    for (let larger = order; larger < this.#free.length; larger++) {
      const [position] = this.#free[larger] ?? [];
      if (position === undefined) continue;
      this.#free[larger]?.delete(position);
      this.#giveBackHalves(position, larger, order);
      return position;
    }
    if (this.#endBytes + this.#blockBytes > this.#limitBytes) return undefined;
    const position = this.#endBytes;
    this.#endBytes += this.#blockBytes;
    this.#giveBackHalves(position, this.#free.length - 1, order);
    return position;
  }

  #giveBackHalves(position: number, from: number, to: number): void {
    for (let order = from - 1; order >= to; order--) {
      this.#free[order]?.add(position + this.#unitBytes * 2 ** order);
    }
  }
}
