/** Ctrl-C and SIGTERM for commands that work on many objects: what is under way ends, nothing new begins. */
import { Interrupted } from './interrupted.js';

/** Runs `work` with a signal that aborts then. Rejects with `Interrupted` if that is why it failed. */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    // The second time without mercy.
    for (const each of ['SIGINT', 'SIGTERM'] as const) process.off(each, onSignal);
    controller.abort(new Interrupted(name));
  };
  for (const each of ['SIGINT', 'SIGTERM'] as const) process.on(each, onSignal);
  try {
    return await work(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error; // whatever was interrupted made of it
  } finally {
    for (const each of ['SIGINT', 'SIGTERM'] as const) process.off(each, onSignal);
  }
}
