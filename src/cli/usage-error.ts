/** A command line that makes no sense; exit code 2. The message says in one line what is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
