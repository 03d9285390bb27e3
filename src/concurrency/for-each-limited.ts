/** Works on a stream of items, several at a time, holding no more of them than that. */

/** Yields the results in the order of the items. At most `concurrency` are being worked on or wait to be taken. */
export async function* mapInOrder<T, R>(
  items: AsyncIterable<T>,
  concurrency: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const window: Promise<R>[] = [];
  for await (const item of items) {
    const result = work(item);
    result.catch(() => undefined); // is awaited below, unless an earlier one fails
    window.push(result);
    const oldest = window.length >= concurrency ? window.shift() : undefined;
    if (oldest !== undefined) yield await oldest;
  }
  for (const result of window) yield await result;
}

/** Resolves when every item was worked on. After a failure no item is begun; rejects when those under way have ended. */
export async function forEachParallel<T>(
  items: AsyncIterable<T>,
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const failed = (): boolean => failures.length > 0;
  try {
    for await (const item of items) {
      const task = work(item)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => running.delete(task));
      running.add(task);
      if (running.size >= concurrency) await Promise.race(running);
      if (failed()) break;
    }
  } finally {
    await Promise.all(running);
  }
  if (failed()) throw failures[0];
}
