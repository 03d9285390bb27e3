/** Time, passed in so that tests can move it. */
export interface Clock {
  /** Milliseconds since some start; never goes back. For ages. */
  monotonicMs(): number;
  /** Nanoseconds since 1970-01-01T00:00Z. For timestamps. */
  nowNs(): bigint;
  /** Calls `action` once, after at least this time and never within this call. Call the returned function to cancel. */
  startTimer(delayMs: number, action: () => void): () => void;
}

/** Date has milliseconds; the fraction below them comes from the high-resolution timer. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  nowNs: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n,
  startTimer: (delayMs, action) => {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};
