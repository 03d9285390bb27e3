/** Ctrl-C and SIGTERM for commands that work on many objects: work under way ends, no new work begins. */

/** The user or the system ended a command before it was done. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.signal = signal;
  }
}

/** Runs `work` with an AbortSignal that aborts then. `work` decides the result; further signals change nothing. */
export async function withStopSignal<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => controller.abort(new Interrupted(name));
  for (const each of ['SIGINT', 'SIGTERM'] as const) process.on(each, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const each of ['SIGINT', 'SIGTERM'] as const) process.off(each, onSignal);
  }
}

/**
 * Runs `work` with an AbortSignal that aborts at the first signal; the next one ends the process. Rejects with `Interrupted` if that is
 * why `work` failed.
 */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    // The second signal ends the process at once.
    for (const each of ['SIGINT', 'SIGTERM'] as const) process.off(each, onSignal);
    controller.abort(new Interrupted(name));
  };
  for (const each of ['SIGINT', 'SIGTERM'] as const) process.on(each, onSignal);
  try {
    return await work(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error; // `error` is what the interrupted work made of it
  } finally {
    for (const each of ['SIGINT', 'SIGTERM'] as const) process.off(each, onSignal);
  }
}
