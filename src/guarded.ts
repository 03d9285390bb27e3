/**
 * Guards listeners of sockets and timers. An error in such a listener would otherwise be uncaught, and end the process with
 * everything that it serves.
 */

/** Wraps `listener`. Its failures go to `fail`, which must end only the one connection or request, and not throw. */
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
