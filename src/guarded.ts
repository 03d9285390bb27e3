/**
 * For what sockets and timers call. An error that such a listener throws, or rejects with, would otherwise be nobody's, and end
 * the process with everything that it serves.
 */

/** `listener`, whose failures go to `fail`, which must see to it that only the one connection or request suffers, and not throw. */
export function guarded<Args extends readonly unknown[]>(
  listener: (...args: Args) => unknown,
  fail: (error: unknown, ...args: Args) => void,
): (...args: Args) => void {
  return (...args) => {
    try {
      const outcome = listener(...args);
      if (outcome instanceof Promise) outcome.catch((error: unknown) => fail(error, ...args));
    } catch (error) {
      fail(error, ...args);
    }
  };
}
