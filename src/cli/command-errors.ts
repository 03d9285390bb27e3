/** The errors that commands throw themselves. What every error means for the user is in `explain-error.ts`. */

/** A command that could not do what it was asked; exit code 1. The message says in one line why, and what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** A command line that makes no sense; exit code 2. The message says in one line what is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
