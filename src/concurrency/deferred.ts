/** A promise that is settled from elsewhere (Promise.withResolvers, which Node 20 lacks). */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export function makeDeferred<T>(): Deferred<T> {
  let settle: Pick<Deferred<T>, 'resolve' | 'reject'> | undefined;
  const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }));
  // The executor has run by now, always.
  if (settle === undefined) throw new Error('unreachable');
  return { promise, ...settle };
}

/** A wait without a value, for any number of waiters. */
interface Gate {
  readonly opened: Promise<void>;
  /** May be called again. */
  readonly open: () => void;
}

export function makeGate(): Gate {
  const { promise, resolve } = makeDeferred<undefined>();
  return { opened: promise, open: () => resolve(undefined) };
}
