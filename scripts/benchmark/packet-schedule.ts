/** When packets that enter a link leave it: behind each other at its rate, then its delay later. Pure. */

/** A router's buffer; what does not fit is lost, and tells TCP how much the link takes. */
const maxWaitingBytes = 8 * 2 ** 20;

interface Waiting {
  readonly packet: Buffer;
  readonly dueMs: number;
}

export class PacketSchedule {
  readonly #bytesPerMs: number;
  #delayMs = 0;
  /** In the order in which they entered. */
  #waiting: Waiting[] = [];
  /** When the last of them has been put on the wire. */
  #busyUntilMs = 0;

  constructor(bytesPerMs: number) {
    this.#bytesPerMs = bytesPerMs;
  }

  setDelay(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  /** False if there was no room for it. */
  add(packet: Buffer, nowMs: number): boolean {
    const backlogBytes = Math.max(0, this.#busyUntilMs - nowMs) * this.#bytesPerMs;
    if (backlogBytes + packet.length > maxWaitingBytes) return false;
    const sentMs = Math.max(nowMs, this.#busyUntilMs) + packet.length / this.#bytesPerMs;
    this.#busyUntilMs = sentMs;
    this.#waiting.push({ packet, dueMs: sentMs + this.#delayMs });
    return true;
  }

  nextDueMs(): number | undefined {
    return this.#waiting[0]?.dueMs;
  }

  /** In the order in which they entered, also where a delay has been made shorter since. */
  takeDue(nowMs: number): Buffer[] {
    const end = this.#waiting.findIndex(({ dueMs }) => dueMs > nowMs);
    const due = end < 0 ? this.#waiting : this.#waiting.slice(0, end);
    this.#waiting = end < 0 ? [] : this.#waiting.slice(end);
    return due.map(({ packet }) => packet);
  }
}
