/** Works on items, several at a time, and holds no more of them than that. */
import { withLinkedController } from './abortable.js';

interface ForEachOptions {
  /** Items that are worked on at once. */
  readonly limit: number;
  /** Aborts what is under way. */
  readonly signal?: AbortSignal;
}

/**
 * Resolves when every item was worked on. `action` gets a signal that aborts with the caller's signal and after the first
 * failure. Then no new item begins; when those under way have ended, it rejects with that failure.
 */
export async function forEachLimited<T>(
  items: Iterable<T> | AsyncIterable<T>,
  { limit, signal }: ForEachOptions,
  action: (item: T, signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  await withLinkedController(signal ? [signal] : [], async (controller) => {
    const failures: unknown[] = [];
    const worker = async () => {
      try {
        for (;;) {
          const next = await iterator.next();
          if (next.done || failures.length > 0) return;
          await action(next.value, controller.signal);
        }
      } catch (error) {
        failures.push(error);
        controller.abort();
      }
    };
    await Promise.all(Array.from({ length: limit }, worker));
    if (failures.length === 0) return;
    await iterator.return?.();
    throw failures[0];
  });
}

/** As `forEachLimited`. Resolves with the results, in the order of the items. */
export async function mapLimited<T, R>(
  items: readonly T[],
  options: ForEachOptions,
  action: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const results = new Map<number, R>();
  await forEachLimited(items.entries(), options, async ([index, item], signal) => {
    results.set(index, await action(item, signal));
  });
  return [...results].sort(([a], [b]) => a - b).map(([, result]) => result);
}

/** Yields the results in the order of the items. At most `limit` items are under way or wait to be taken. */
export async function* mapInOrder<T, R>(
  items: AsyncIterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const window: Promise<R>[] = [];
  for await (const item of items) {
    const result = work(item);
    result.catch(() => undefined); // is awaited below, unless an earlier one fails
    window.push(result);
    const oldest = window.length >= limit ? window.shift() : undefined;
    if (oldest !== undefined) yield await oldest;
  }
  for (const result of window) yield await result;
}
